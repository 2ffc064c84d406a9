import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import type { SplitName } from "../../data/dataset.ts";
import { readImage, writePng } from "../../data/decode.ts";
import type { Rgb } from "../../data/png.ts";
import { resize } from "../../data/resample.ts";
import { SamplePool } from "../../data/sample-pool.ts";
import { UsageError } from "../../errors.ts";
import { type EvaluatedMap, type EvaluationResult, evaluateSplit } from "../../experiment/evaluate.ts";
import { checkpointPath, loadNetwork } from "../../experiment/load-run.ts";
import { enlarged, enlargedLabels, overlay, sideBySide } from "../../experiment/overlay.ts";
import { runPaths } from "../../experiment/run-folder.ts";
import { classTable, imageTable, type StratumResult } from "../../metrics/evaluation.ts";
import { numberArgument } from "../options.ts";
import { note, printJson, printTable } from "../print.ts";
import { createProgress } from "../progress.ts";
import { openChecked, percent, withDevice } from "../session.ts";

interface EvalFlags {
  readonly data: string;
  readonly split: SplitName;
  readonly checkpoint?: "best" | "last";
  readonly batchSize: number;
  readonly out?: string;
  readonly overlays: number;
  readonly roc: boolean;
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet eval`: every metric of a checkpoint on a split, by object size, class and image. */
export function register(command: Command): void {
  command
    .argument("<run>", "run folder, or a checkpoint file")
    .requiredOption("--data <folder>", "dataset folder")
    .addOption(new Option("--split <name>", "split to evaluate").choices(["train", "val", "test"]).default("val"))
    .addOption(
      new Option("--checkpoint <which>", "checkpoint of a run folder (default: best, else last)").choices([
        "best",
        "last",
      ]),
    )
    .option("--batch-size <n>", "images at a time", numberArgument, 4)
    .option(
      "--out <folder>",
      "where to write eval.json, images.csv, classes.csv and overlays (default: the run's eval folder)",
    )
    .option("--overlays <n>", "overlay pictures to write", numberArgument, 8)
    .option("--no-roc", "leave out the ROC curve")
    .option("--adapter <name>", "part of the GPU adapter's name")
    .option("--json", "print the result as JSON")
    .action(evaluate);
}

async function evaluate(run: string, flags: EvalFlags): Promise<void> {
  await evaluateRun(run, flags);
}

/** Evaluates a run or checkpoint, prints and writes everything. */
export async function evaluateRun(run: string, flags: EvalFlags): Promise<EvaluationResult> {
  if (!Number.isInteger(flags.batchSize) || flags.batchSize < 1) {
    throw new UsageError(`--batch-size ${flags.batchSize}: expected a whole number from 1`);
  }
  const path = checkpointPath(run, flags.checkpoint);
  return withDevice(flags.adapter ?? null, async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const { classes, colours, mean, std, config } = checkpoint.facts;
    const dataset = await openChecked(flags.data, [flags.split], classes);
    const samples = dataset.splits[flags.split] ?? [];
    if (samples.length === 0)
      throw new UsageError(`--split ${flags.split}: ${flags.data} has no such split, or it is empty`);
    const folder = flags.out ?? (run === path ? join(dirname(path), "eval") : runPaths(run).eval);
    const inference = await network.inference({
      batch: Math.min(flags.batchSize, samples.length),
      probabilities: flags.roc,
    });
    const pool = new SamplePool();
    const progress = createProgress({ label: "evaluating", total: samples.length });
    try {
      const result = await evaluateSplit(network, {
        samples,
        classes: config.classes,
        statistics: { mean, std },
        inference,
        pool,
        roc: flags.roc,
        onImage: async (done, _total, map) => {
          progress.update(done);
          if (done <= flags.overlays) await writeOverlay(join(folder, "overlays"), map, colours);
        },
      });
      progress.stop();
      const report = { checkpoint: path, data: flags.data, split: flags.split, classes, ...documentOf(result) };
      writeFiles(folder, report, result);
      if (flags.json) printJson(report);
      else print(result, report.classes);
      note(`written: ${folder} (eval.json, images.csv, classes.csv, overlays)`);
      return result;
    } finally {
      progress.stop();
      await pool.close();
      network.destroy();
    }
  });
}

/** The JSON document of an evaluation: strata by name, percentages as in the paper. */
export function documentOf(result: EvaluationResult) {
  const { roc, strata } = result;
  return { strata, ...(roc ? { auc: roc.area } : {}) };
}

function writeFiles(folder: string, report: object, result: EvaluationResult): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "eval.json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, "images.csv"), imageTable(result.images));
  writeFileSync(join(folder, "classes.csv"), classTable(result.strata));
}

/** Pictures smaller than this are enlarged, so that small objects and their outlines can be seen. */
const OVERLAY_SIDE = 512;

/** Writes `<stem>-overlay.png`: the image, and beside it what was found; missed pixels are red. */
export async function writeOverlay(folder: string, map: EvaluatedMap, colours: readonly Rgb[]): Promise<void> {
  const { sample, height, width } = map;
  const image = await readImage(sample.image);
  const same = image.width === width && image.height === height;
  const factor = Math.max(1, Math.floor(OVERLAY_SIDE / Math.max(width, height)));
  const base = enlarged(same ? image : resize(image, { width, height }, "bicubic"), factor);
  const prediction = enlargedLabels({ width, height, data: map.prediction }, factor);
  const target = enlargedLabels({ width, height, data: map.target }, factor);
  mkdirSync(folder, { recursive: true });
  const picture = sideBySide([base, overlay(base, prediction, colours, target)]);
  await writePng(join(folder, `${sample.stem}-overlay.png`), picture);
}

/** Column headings say how a number is averaged; the same code computes them for every network. */
export function print(result: EvaluationResult, classes: readonly string[]): void {
  const rows = Object.entries(result.strata).map(([name, stratum]) => ({ name, ...stratum }));
  const column = (title: string, value: (row: StratumResult) => number) => ({
    title,
    cell: (row: StratumResult & { name: string }) => percent(value(row)),
    align: "right" as const,
  });
  printTable(
    [
      { title: "objects", cell: ({ name }) => (name === "all" ? "all" : `< ${name} %`) },
      { title: "images", cell: ({ images }) => String(images), align: "right" },
      column("mDice", (r) => r.mDice),
      column("mIoU", (r) => r.mIoU),
      column("sensitivity", (r) => r.sensitivity),
      column("F2", (r) => r.f2),
      column("MAE (%)", (r) => 100 * r.mae),
      column("foreground Dice", (r) => r.foregroundDice),
      column("image Dice", (r) => r.imageDice),
    ],
    rows,
  );
  note(
    "mDice, mIoU, sensitivity, F2: pooled pixels per class, classes weighted by the images they occur in, background",
  );
  note(
    "included (the paper's averaging). foreground Dice: mean over foreground classes, pooled. image Dice: mean over",
  );
  note("images. Strata by the largest object of an image, at the mask's own size.");
  const all = result.strata["all"];
  if (all && classes.length > 2) {
    printTable(
      [
        { title: "class", cell: (row) => classes[row.class] ?? String(row.class) },
        { title: "images", cell: (row) => String(row.images), align: "right" },
        { title: "Dice", cell: (row) => percent(100 * row.dice), align: "right" },
        { title: "IoU", cell: (row) => percent(100 * row.iou), align: "right" },
        { title: "recall", cell: (row) => percent(100 * row.recall), align: "right" },
      ],
      all.classes,
    );
  }
  if (result.roc) note(`area under the foreground ROC curve: ${result.roc.area.toFixed(4)}`);
}
