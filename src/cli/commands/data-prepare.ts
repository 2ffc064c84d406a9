import { type Command, InvalidArgumentError } from "commander";
import { UsageError } from "../../errors.ts";
import { numberArgument } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress, type Progress } from "../progress.ts";

interface PrepareFlags {
  readonly from: string;
  readonly out: string;
  readonly seed: number;
  readonly window?: { readonly low: number; readonly high: number };
  readonly test: number;
  readonly val: number;
  readonly classes?: readonly string[];
  readonly every: number;
  readonly workers?: number;
  readonly json?: true;
}

function windowArgument(text: string): { low: number; high: number } {
  const [low = Number.NaN, high = Number.NaN, ...rest] = text
    .split(",")
    .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (rest.length > 0 || !(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new InvalidArgumentError("It is no range such as -160,240.");
  }
  return { low, high };
}

function namesArgument(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.some((name) => name === "") || new Set(names).size !== names.length) {
    throw new InvalidArgumentError("It is no list of different names such as liver,tumour.");
  }
  return names;
}

/** `svanet data prepare`: raw downloads to dataset folders. */
export function addPrepare(command: Command): void {
  command
    .command("prepare <set>")
    .description(
      "make a dataset folder from a raw download: fives, isic2018, polypgen, atlas, kits23, tissuenet, spermhealth; " +
        "or from your own data: folder, nifti, dicom, npz",
    )
    .requiredOption("--from <folder>", "the unpacked download; it is only read")
    .requiredOption("--out <folder>", "dataset folder to write; the same command goes on where it was interrupted")
    .option("--seed <n>", "decides splits and drawn slices", numberArgument, 0)
    .option(
      "--window <low,high>",
      "values shown as black and white, for scans (default: the set's own)",
      windowArgument,
    )
    .option(
      "--test <share>",
      "share of patients, volumes or frames for test, where the source fixes no split",
      numberArgument,
      0.2,
    )
    .option("--val <share>", "the same for val", numberArgument, 0)
    .option("--classes <names>", "class names without the background, for your own data", namesArgument)
    .option("--every <n>", "take every n-th slice, for your own volumes", numberArgument, 1)
    .option("--workers <n>", "threads; 0 does it in the main thread (default: by the number of cores)", numberArgument)
    .option("--json", "print what was written as JSON")
    .action(prepareSet);
}

function checkFlags({ test, val, seed, every, workers }: PrepareFlags): void {
  const whole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  if (!(test >= 0 && val >= 0 && test + val < 1)) {
    throw new UsageError(`--test ${test} and --val ${val} are shares; each from 0, together below 1`);
  }
  if (!whole(seed, 0)) throw new UsageError(`--seed ${seed} is no whole number from 0`);
  if (!whole(every, 1)) throw new UsageError(`--every ${every} is no whole number from 1`);
  if (workers !== undefined && !whole(workers, 0))
    throw new UsageError(`--workers ${workers} is no whole number from 0`);
}

async function prepareSet(name: string, flags: PrepareFlags): Promise<void> {
  const { nearestName } = await import("../../nearest.ts");
  const { prepare } = await import("../../data/prepare/prepare.ts");
  const { SET_KINDS } = await import("../../data/prepare/sets.ts");
  checkFlags(flags);
  const set = SET_KINDS.find((kind) => kind.name === name);
  const names = SET_KINDS.map((kind) => kind.name);
  if (set === undefined) {
    const near = nearestName(name, names);
    throw new UsageError(
      `there is no set "${name}"${near === undefined ? "" : ` (did you mean ${near}?)`}; known are ${names.join(", ")}`,
    );
  }
  let progress: Progress | undefined;
  const { from, out, workers, json, ...settings } = flags;
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
