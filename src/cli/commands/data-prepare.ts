import type { Command } from "commander";
import type { Window } from "../../data/formats/window.ts";
import type { NamedCount } from "../../data/prepare/class-table.ts";
import type { SetKind } from "../../data/prepare/plan.ts";
import type { PrepareOptions, PrepareSummary } from "../../data/prepare/prepare.ts";
import { LAYOUT_NAMES, OWN_SETS, PAPER_SETS } from "../../data/prepare/set-names.ts";
import { UsageError } from "../../errors.ts";
import { namesArgument, numberArgument, share, textArgument, wholeNumber, windowArgument } from "../arguments.ts";
import { type Column, formatTable, note, printJson, printLine, printTable } from "../print.ts";
import { createProgress, type Progress } from "../progress.ts";

interface PrepareFlags {
  readonly from: string;
  readonly out: string;
  readonly seed: number;
  readonly window?: Window;
  readonly page?: number;
  readonly test: number;
  readonly val?: number;
  readonly channels?: readonly string[];
  readonly fold?: number;
  readonly classes?: readonly string[];
  readonly every: number;
  readonly map?: string;
  readonly threshold?: number;
  readonly palette?: string;
  readonly instances?: true;
  readonly preview?: true;
  readonly trustOrder?: true;
  readonly allowGaps?: true;
  readonly keepValues?: true;
  readonly workers?: number;
  readonly json?: true;
}

/** `svanet data prepare`: raw downloads to dataset folders. */
export function addPrepare(command: Command): void {
  command
    .command("prepare")
    .description(
      "make a dataset folder from images and labels as they lie: other programs' folders, public sets, your own",
    )
    .argument(
      "<set>",
      `auto, which finds out; or a layout: ${LAYOUT_NAMES.join(", ")}; how your own data lie: ${OWN_SETS.join(", ")}; a public ` +
        `set: ${PAPER_SETS.join(", ")}`,
    )
    .requiredOption("--from <folder>", "the unpacked download, or your own data; it is only read")
    .requiredOption("--out <folder>", "dataset folder to write; the same command goes on where it was interrupted")
    .option("--preview", "count classes and draw three pictures into OUT-preview/, but write no dataset")
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
    .option("--val <share>", "share of them for val, likewise (default: 0.1, of the paper's sets 0)", share(1))
    .option(
      "--channels <names>",
      "up to three of several channels a case, by name or number: red, green, blue",
      namesArgument,
    )
    .option("--fold <n>", "the fold of nnU-Net's splits_final.json that is train and val (default: 0)", wholeNumber(0))
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
    .option("--instances", "the numbers of your own masks are single objects: all class 1, kept in instances/")
    .option("--trust-order", "pair labels with volumes voxel by voxel where their headers disagree on the place")
    .option("--allow-gaps", "take DICOM series whose slices do not lie at equal distances")
    .option(
      "--keep-values",
      "store the slices of scans as TIFF of their own values, not of 256 grey levels; needs a window",
    )
    .option("--workers <n>", "threads; 0 does it in the main thread (default: by the number of cores)", wholeNumber(0))
    .option("--json", "print what was written as JSON")
    .action(prepareSet);
}

async function setNamed(name: string): Promise<SetKind> {
  const { nearestName } = await import("../../nearest.ts");
  const { SET_KINDS } = await import("../../data/prepare/sets.ts");
  const set = SET_KINDS.find((kind) => kind.name === name);
  if (set !== undefined) return set;
  const names = SET_KINDS.map((kind) => kind.name);
  const near = nearestName(name, names);
  throw new UsageError(
    `there is no set "${name}"${near === undefined ? "" : ` (did you mean ${near}?)`}; known are ${names.join(", ")}`,
  );
}

/** What the options say about a set. Throws UsageError for what cannot be meant, before anything is opened. */
async function settingsOf({ name }: SetKind, flags: PrepareFlags): Promise<PrepareOptions["settings"]> {
  const { parseReading } = await import("../../data/masks/parse-reading.ts");
  const { refuseUnused } = await import("../../data/prepare/options.ts");
  const { from: _from, out: _out, workers: _workers, json: _json, preview: _preview, ...rest } = flags;
  const { map, threshold, palette, instances, val, ...plain } = rest;
  const isPaper = PAPER_SETS.some((set) => set === name);
  const reading = parseReading({ map, threshold, palette, instances });
  const settings = { ...plain, val: val ?? (isPaper ? 0 : undefined), ...(reading ? { reading } : {}) };
  const { test } = settings;
  if (test + (val ?? 0) >= 1) {
    throw new UsageError(`--test ${test} and --val ${val} leave nothing to train on: together below 1`);
  }
  refuseUnused(name, settings);
  return settings;
}

async function prepareSet(name: string, flags: PrepareFlags): Promise<void> {
  const set = await setNamed(name);
  const settings = await settingsOf(set, flags);
  let progress: Progress | undefined;
  const options: PrepareOptions = {
    ...{ set, settings, from: flags.from, out: flags.out, workers: flags.workers },
    command: ["svanet", ...process.argv.slice(2)].map((word) => (/\s/.test(word) ? `"${word}"` : word)).join(" "),
    onPlan: ({ recognised }) => {
      if (recognised !== undefined) note(recognised.sentence);
    },
    onStart: (total, start) => {
      if (start > 0) note(`${start} of ${total} raw items were finished before`);
      progress = createProgress({ label: set.name, total, start });
    },
    onProgress: (done) => progress?.update(done),
  };
  try {
    if (flags.preview) await showPreview(options, flags.json === true, () => progress?.stop());
    else {
      const { prepare } = await import("../../data/prepare/prepare.ts");
      const summary = await prepare(options);
      progress?.stop();
      printSummary(summary, flags.json === true);
    }
  } finally {
    progress?.stop();
  }
}

const COLUMNS: readonly Column<NamedCount>[] = [
  { title: "class", align: "right", cell: ({ label }) => String(label) },
  { title: "name", cell: ({ name }) => name },
  { title: "pixels", align: "right", cell: ({ pixels }) => String(pixels) },
  { title: "%", align: "right", cell: ({ percent }) => (percent === 0 ? "0" : percent.toFixed(percent < 0.1 ? 4 : 2)) },
  { title: "images", align: "right", cell: ({ images }) => String(images) },
];

/** Notes that the text shows; dataset.yaml has all. */
const MOST_NOTES = 12;

function noteAll(notes: readonly string[], elsewhere: string): void {
  for (const sentence of notes.slice(0, MOST_NOTES)) note(`  ${sentence}`);
  if (notes.length > MOST_NOTES) note(`  ${notes.length - MOST_NOTES} more notes${elsewhere}`);
}

function printSummary(summary: PrepareSummary, json: boolean): void {
  if (json) printJson(summary);
  else printLine(summary.out);
  const counts = Object.entries(summary.images).map(([split, count]) => `${count} ${split}`);
  note(
    `${summary.name}: ${counts.join(", ")} images with masks and dataset.yaml${summary.done === 0 ? "; nothing was left to do" : ""}`,
  );
  note(formatTable(COLUMNS, summary.classes));
  noteAll(summary.notes, " in dataset.yaml");
}

/** Prints what would be written, and draws three of its pictures into a folder beside it. */
async function showPreview(options: PrepareOptions, json: boolean, onDone: () => void): Promise<void> {
  const { preview } = await import("../../data/prepare/preview.ts");
  const { writePng } = await import("../../data/decode.ts");
  const { overlay } = await import("../../experiment/evaluate/overlay.ts");
  const { join } = await import("node:path");
  const { makeFolder, requireWritableFolder } = await import("../../files/folder.ts");
  const folder = `${options.out.replace(/[/\\]+$/, "")}-preview`;
  requireWritableFolder(folder, `${folder} (the preview of --out)`);
  const { plan, classes, pictures, colours, images } = await preview(options);
  onDone();
  makeFolder(folder);
  const drawn: { file: string; shows: string }[] = [];
  for (const [at, { split, imageName, image, mask }] of pictures.entries()) {
    const file = join(folder, `preview-${at + 1}.png`);
    await writePng(file, overlay(image, mask, colours));
    drawn.push({ file, shows: `${split}/${imageName}` });
  }
  const { name, recognised, notes } = plan;
  if (json) printJson({ name, recognised: recognised?.sentence, images, classes, pictures: drawn, notes });
  else {
    printTable(COLUMNS, classes);
    for (const { file, shows } of drawn) printLine(`${file}: ${shows}`);
  }
  const counts = Object.entries(images).map(([split, count]) => `${count} ${split}`);
  note(
    `${name}: ${counts.join(", ")} images; nothing was written to ${options.out}: the same command without --preview does that`,
  );
  noteAll(notes, "");
}
