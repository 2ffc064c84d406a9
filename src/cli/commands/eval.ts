import { basename, dirname, join } from "node:path";
import { type Command, Option } from "commander";
import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { SPLIT_NAMES, type SplitName } from "../../data/dataset/dataset.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import type { Window } from "../../data/formats/window.ts";
import { UsageError } from "../../errors.ts";
import type { Checkpoint } from "../../experiment/checkpoint/checkpoint.ts";
import {
  CHECKPOINTS,
  type CheckpointName,
  checkpointPath,
  loadNetwork,
  runOf,
} from "../../experiment/checkpoint/load-run.ts";
import { EvalPictures } from "../../experiment/evaluate/eval-pictures.ts";
import { type EvaluationResult, evaluateSplit } from "../../experiment/evaluate/evaluate.ts";
import {
  type Postprocess,
  PostprocessChoice,
  readPostprocess,
  ruleText,
  writePostprocess,
} from "../../experiment/evaluate/postprocess.ts";
import { evaluationReport, writeEvaluation } from "../../experiment/evaluate/report.ts";
import { runPaths } from "../../experiment/run/run-folder.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import { BOOTSTRAP } from "../../metrics/bootstrap.ts";
import { AREA_RULES, type AreaRule } from "../../metrics/objects.ts";
import { STRATUM_LIMITS } from "../../metrics/strata.ts";
import { SURFACE_TOLERANCE } from "../../metrics/surface.ts";
import type { Network } from "../../training/network.ts";
import type { Precision } from "../../training/passes.ts";
import { limitsArgument, numberFrom, wholeNumber, windowArgument } from "../arguments.ts";
import { adapterOption, precisionOption } from "../options.ts";
import { note, printJson } from "../print.ts";
import { createProgress } from "../progress.ts";
import { openChecked, withDevice } from "../session.ts";
import { figure } from "../units.ts";
import { printEvaluation } from "./eval-tables.ts";

interface EvalFlags {
  readonly data: string;
  readonly split: SplitName;
  readonly window?: Window;
  readonly checkpoint?: CheckpointName;
  readonly batchSize: number;
  readonly out?: string;
  readonly overlays: number;
  readonly roc: boolean;
  readonly strata?: readonly number[];
  readonly area?: AreaRule;
  readonly extended?: boolean;
  readonly tolerance?: number;
  readonly resamples?: number;
  readonly postprocess?: true;
  readonly choosePostprocess?: true;
  readonly precision?: Precision;
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet eval`: every metric of a checkpoint on a split, by object size, class and image. */
export function register(command: Command): void {
  command
    .argument("<run>", "run folder, or a checkpoint file")
    .requiredOption("--data <folder>", "dataset folder")
    .addOption(new Option("--split <name>", "split to evaluate").choices(SPLIT_NAMES).default("val"))
    .addOption(
      new Option("--checkpoint <which>", "checkpoint of a run folder (default: best, else last)").choices(CHECKPOINTS),
    )
    .option(
      "--window <low,high>",
      "values of pictures of more than 8 bits shown black and white (default: as in training, else dataset.yaml's)",
      windowArgument,
    )
    .option("--batch-size <n>", "images at a time", wholeNumber(1), 4)
    .option("--out <folder>", "where to write eval.json, CSV tables and overlays (default: the run's eval folder)")
    .addOption(
      new Option("--strata <list>", "upper limits of the size strata in percent of the image, such as 0.5,1,5,100")
        .argParser(limitsArgument)
        .default(STRATUM_LIMITS, STRATUM_LIMITS.join(",")),
    )
    .addOption(
      new Option("--area <rule>", "area of the objects: the authors' (closing, outline) or the number of pixels")
        .choices(AREA_RULES)
        .default("release"),
    )
    .option("--no-extended", "leave out found objects, borders and bootstrap intervals, which is quicker")
    .option(
      "--tolerance <pixels>",
      "distance within which borders agree, for the surface Dice",
      numberFrom(0, "pixels"),
      SURFACE_TOLERANCE,
    )
    .option("--resamples <n>", "draws of the bootstrap intervals", wholeNumber(1), BOOTSTRAP.resamples)
    .option("--postprocess", "remove objects from the predictions first, as --choose-postprocess found")
    .option(
      "--choose-postprocess",
      "find on these images (val only) which objects are better removed, and store that for --postprocess",
    )
    .option(
      "--overlays <n>",
      "pictures of the worst, median and best images and of the smallest objects",
      wholeNumber(0),
      8,
    )
    .option("--no-roc", "leave out the ROC curves")
    .addOption(precisionOption())
    .addOption(adapterOption())
    .option("--json", "print the result as JSON")
    .action(evaluate);
}

async function evaluate(run: string, flags: EvalFlags): Promise<void> {
  await evaluateRun(run, flags);
}

/** Refuses what cannot be meant, before anything is opened. */
function checkFlags(flags: EvalFlags): void {
  if (!flags.choosePostprocess) return;
  if (flags.split !== "val") {
    throw new UsageError(
      `--choose-postprocess with --split ${flags.split}: rules are chosen on val; ` +
        (flags.split === "test"
          ? "chosen on test they would make its figures too good"
          : "training images are too easy"),
    );
  }
  if (flags.postprocess) throw new UsageError("--choose-postprocess and --postprocess: choose first, then apply");
}

/** Evaluates a run or checkpoint, prints and writes everything. */
export async function evaluateRun(run: string, flags: EvalFlags): Promise<EvaluationResult> {
  checkFlags(flags);
  const path = checkpointPath(run, flags.checkpoint);
  const folder = flags.out ?? (run === path ? join(dirname(path), "eval") : runPaths(run).eval);
  requireWritableFolder(folder, flags.out === undefined ? folder : `--out ${folder}`);
  return withDevice(flags.adapter ?? null, flags.precision ?? "f32", async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const dataset = await openChecked(flags.data, [flags.split], {
      classes: checkpoint.facts.classes,
      window: flags.window,
      trained: checkpoint.facts.window,
    });
    const samples = dataset.splits[flags.split] ?? [];
    if (samples.length === 0)
      throw new UsageError(`--split ${flags.split}: ${flags.data} has no such split, or it is empty`);
    try {
      return await evaluateSamples({ path, folder, flags, network, checkpoint, samples });
    } finally {
      network.destroy();
    }
  });
}

interface Work {
  readonly path: string;
  /** Where everything is written. */
  readonly folder: string;
  readonly flags: EvalFlags;
  readonly network: Network;
  readonly checkpoint: Checkpoint;
  readonly samples: readonly CheckedSample[];
}

async function evaluateSamples({ path, folder, flags, network, checkpoint, samples }: Work): Promise<EvaluationResult> {
  const { classes, mean, std, config } = checkpoint.facts;
  const rules = flags.postprocess ? readPostprocess(runOf(path), config.classes).rules : [];
  const choice = flags.choosePostprocess ? new PostprocessChoice(classes) : null;
  const inference = await network.inference({
    batch: Math.min(flags.batchSize, samples.length),
    probabilities: flags.roc,
    precision: flags.precision,
  });
  const pool = new SamplePool();
  const pictures = new EvalPictures();
  const progress = createProgress({ label: "evaluating", total: samples.length });
  try {
    const result = await evaluateSplit(network, {
      samples,
      classes: config.classes,
      statistics: { mean, std },
      inference,
      pool,
      roc: flags.roc,
      ...(flags.area ? { area: flags.area } : {}),
      ...(flags.strata ? { limits: flags.strata } : {}),
      ...(flags.extended === false ? {} : { extended: extendedOptions(flags) }),
      postprocess: rules,
      onImage: (done, _total, map) => {
        progress.update(done);
        choice?.add(map.prediction, map.target, map);
        if (flags.overlays > 0) pictures.add(map);
      },
    });
    progress.stop();
    const { data, split, area = "release" } = flags;
    const source = { checkpoint: path, data, split, classes, area };
    const report = evaluationReport(source, result, flags.postprocess ? rules : undefined);
    const tables = writeEvaluation(folder, report, result);
    const shown = { count: flags.overlays, classes: config.classes };
    await pictures.write(join(folder, "overlays"), result.images, shown);
    if (flags.json) printJson(report);
    else printEvaluation(result, classes, area);
    note(`written: ${folder} (${tables.join(", ")}, eval.json, overlays)`);
    if (choice) storeChoice(runOf(path), { data, split, checkpoint: basename(path) }, choice);
    return result;
  } finally {
    progress.stop();
    await pool.close();
    inference.program.destroy();
  }
}

function extendedOptions({ tolerance, resamples }: EvalFlags) {
  return { ...(tolerance === undefined ? {} : { tolerance }), ...(resamples === undefined ? {} : { resamples }) };
}

function storeChoice(
  run: string,
  source: Pick<Postprocess["chosenOn"], "data" | "split" | "checkpoint">,
  choice: PostprocessChoice,
): void {
  const rules = choice.rules();
  const path = writePostprocess(run, { chosenOn: { ...source, images: choice.images }, rules });
  for (const rule of rules) {
    const { before, after } = rule.dice;
    note(
      `${rule.name}: ${ruleText(rule)} (mean Dice over ${choice.images} images ${figure(before)} -> ${figure(after)})`,
    );
  }
  note(`written: ${path}; svanet predict --postprocess and svanet eval --postprocess apply it`);
}
