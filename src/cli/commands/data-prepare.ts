import type { Command } from "commander";
import type { Window } from "../../data/formats/window.ts";
import { OWN_SETS, PAPER_SETS, type SetName } from "../../data/prepare/set-names.ts";
import { UsageError } from "../../errors.ts";
import { namesArgument, numberArgument, share, textArgument, wholeNumber, windowArgument } from "../arguments.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress, type Progress } from "../progress.ts";

interface PrepareFlags {
  readonly from: string;
  readonly out: string;
  readonly seed: number;
  readonly window?: Window;
  readonly page?: number;
  readonly test: number;
  readonly val: number;
  readonly classes?: readonly string[];
  readonly every: number;
  readonly map?: string;
  readonly threshold?: number;
  readonly palette?: string;
  readonly trustOrder?: true;
  readonly allowGaps?: true;
  readonly workers?: number;
  readonly json?: true;
}

/** `svanet data prepare`: raw downloads to dataset folders. */
export function addPrepare(command: Command): void {
  command
    .command("prepare")
    .description("make a dataset folder from a raw download of a public set, or from your own scans and pictures")
    .argument("<set>", `a public set: ${PAPER_SETS.join(", ")}; or how your own data lie: ${OWN_SETS.join(", ")}`)
    .requiredOption("--from <folder>", "the unpacked download, or your own data; it is only read")
    .requiredOption("--out <folder>", "dataset folder to write; the same command goes on where it was interrupted")
    .option("--seed <n>", "decides splits and drawn slices", wholeNumber(0), 0)
    .option(
      "--window <low,high>",
      "values of scans and deep pictures shown black and white, such as --window=-160,240 (default: the set's own)",
      windowArgument,
    )
    .option("--page <n>", "page of your own pictures that have several, counted from 0; written as PNG", wholeNumber(0))
    .option(
      "--test <share>",
      "share of patients, volumes or frames for test, where the source fixes no split",
      share(1),
      0.2,
    )
    .option("--val <share>", "share of them for val, likewise", share(1), 0)
    .option("--classes <names>", "class names without the background, for your own data", namesArgument)
    .option("--every <n>", "take every n-th slice, for your own volumes", wholeNumber(1), 1)
    .option(
      "--map <pairs>",
      "what the numbers of your own masks mean, such as 255=1 or 0=0,128=ignore,255=1",
      textArgument,
    )
    .option(
      "--threshold <value>",
      "your own masks: from this number on foreground, below it background",
      numberArgument,
    )
    .option(
      "--palette <pairs>",
      'classes of the colours of your own masks: "#ff0000=1,#00ff00=2", or a file',
      textArgument,
    )
    .option("--trust-order", "pair labels with volumes voxel by voxel where their headers disagree on the place")
    .option("--allow-gaps", "take DICOM series whose slices do not lie at equal distances")
    .option("--workers <n>", "threads; 0 does it in the main thread (default: by the number of cores)", wholeNumber(0))
    .option("--json", "print what was written as JSON")
    .action(prepareSet);
}

/** Options that say something about single kinds of sets, and for which they do. */
const FOR_KINDS = {
  map: ["folder", "nifti", "npz"],
  threshold: ["folder", "nifti", "npz"],
  palette: ["folder"],
  trustOrder: ["nifti", "atlas", "kits23"],
  allowGaps: ["dicom"],
} as const satisfies Partial<Record<keyof PrepareFlags, readonly SetName[]>>;

/** Refuses what cannot be meant, before anything is opened. */
function checkFlags(set: SetName, flags: PrepareFlags): void {
  const { test, val } = flags;
  if (test + val >= 1) {
    throw new UsageError(`--test ${test} and --val ${val} leave nothing to train on: together below 1`);
  }
  for (const [name, sets] of Object.entries(FOR_KINDS)) {
    if (flags[name as keyof typeof FOR_KINDS] === undefined || (sets as readonly SetName[]).includes(set)) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${option} says nothing about ${set}: it is for ${sets.join(", ")}`);
  }
}

async function prepareSet(name: string, flags: PrepareFlags): Promise<void> {
  const { nearestName } = await import("../../nearest.ts");
  const { prepare } = await import("../../data/prepare/prepare.ts");
  const { SET_KINDS } = await import("../../data/prepare/sets.ts");
  const { parseReading } = await import("../../data/masks/parse-reading.ts");
  const set = SET_KINDS.find((kind) => kind.name === name);
  const names = SET_KINDS.map((kind) => kind.name);
  if (set === undefined) {
    const near = nearestName(name, names);
    throw new UsageError(
      `there is no set "${name}"${near === undefined ? "" : ` (did you mean ${near}?)`}; known are ${names.join(", ")}`,
    );
  }
  checkFlags(set.name, flags);
  let progress: Progress | undefined;
  const { from, out, workers, json, map, threshold, palette, ...rest } = flags;
  const reading = parseReading({ map, threshold, palette });
  const settings = { ...rest, ...(reading ? { reading } : {}) };
  try {
    const summary = await prepare({
      ...{ set, from, out, settings, workers },
      command: ["svanet", ...process.argv.slice(2)].map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(" "),
      onStart: (total, start) => {
        if (start > 0) note(`${start} of ${total} raw items were finished before`);
        progress = createProgress({ label: set.name, total, start });
      },
      onProgress: (done) => progress?.update(done),
    });
    progress?.stop();
    if (json) printJson(summary);
    else printLine(out);
    const counts = Object.entries(summary.images).map(([split, count]) => `${count} ${split}`);
    note(
      `${summary.name}: ${counts.join(", ")} images with masks and dataset.yaml${summary.done === 0 ? "; nothing was left to do" : ""}`,
    );
    for (const sentence of summary.notes.slice(0, 12)) note(`  ${sentence}`);
    if (summary.notes.length > 12) note(`  ${summary.notes.length - 12} more notes in dataset.yaml`);
  } finally {
    progress?.stop();
  }
}
