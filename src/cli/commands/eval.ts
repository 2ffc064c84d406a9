import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import { COLOUR_NAMES, requireShown } from "../../data/image/shown-channels.ts";
import { UsageError } from "../../errors.ts";
import { checkpointPath, loadNetwork, runOf } from "../../experiment/checkpoint/load-run.ts";
import { EvalPictures } from "../../experiment/evaluate/eval-pictures.ts";
import { evaluateSplit } from "../../experiment/evaluate/evaluate.ts";
import { evaluateNative } from "../../experiment/evaluate/native.ts";
import type { ObjectEvaluation } from "../../experiment/evaluate/object-evaluation.ts";
import { type Postprocess, readPostprocess, writePostprocess } from "../../experiment/evaluate/postprocess.ts";
import { evaluationReport, writeEvaluation } from "../../experiment/evaluate/report.ts";
import type { EvaluationResult, ScoreOptions } from "../../experiment/evaluate/scores.ts";
import { runPaths } from "../../experiment/run/run-folder.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { PostprocessChoice, ruleText } from "../../inference/object-rules.ts";
import { Predictor } from "../../inference/predictor.ts";
import type { Network } from "../../training/network.ts";
import { predictorOptions } from "../predictor-flags.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";
import { openChecked, withDevice } from "../session.ts";
import { figure } from "../units.ts";
import { addEvalOptions, checkEvalFlags, dataOf, type EvalFlags, isPaperRun, sizeOf } from "./eval-flags.ts";
import { objectEvaluation, printObjectScores, storeSeparation } from "./eval-objects.ts";
import { summaryLines, uncountedLines } from "./eval-summary.ts";
import { printEvaluation } from "./eval-tables.ts";

/** `svanet eval`: every metric of a checkpoint on a split, by object size, class, image and volume. */
export function register(command: Command): void {
  addEvalOptions(command).action(async (run: string, flags: EvalFlags) => {
    await evaluateRun(run, flags);
  });
}

/**
 * Evaluates a run or checkpoint, prints and writes everything. Images that cannot be read are left out, listed at the end,
 * and make the exit code 1.
 */
export async function evaluateRun(run: string, flags: EvalFlags): Promise<EvaluationResult> {
  checkEvalFlags(flags);
  const path = checkpointPath(run, flags.checkpoint);
  const data = dataOf(flags, path);
  const folder = flags.out ?? (run === path ? join(dirname(path), "eval") : runPaths(run).eval);
  requireWritableFolder(folder, flags.out === undefined ? folder : `--out ${folder}`);
  return withDevice(flags.adapter ?? null, flags.precision ?? "f32", async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const { facts } = checkpoint;
    checkEvalFlags(flags, facts);
    requireShown(flags.show, facts.channels?.names ?? COLOUR_NAMES);
    const dataset = await openChecked(data, [flags.split], {
      classes: facts.classes,
      window: flags.window,
      trained: facts.window,
      network: facts,
      leaveOut: true,
    });
    const samples = dataset.splits[flags.split] ?? [];
    if (samples.length === 0) throw new UsageError(`--split ${flags.split}: ${data} has no such split, or it is empty`);
    const failures = dataset.leftOut.map(({ message }) => message);
    try {
      return await evaluateSamples({ path, folder, data, flags, network, checkpoint, samples, failures });
    } finally {
      network.destroy();
    }
  });
}

interface Work {
  readonly path: string;
  /** Where everything is written. */
  readonly folder: string;
  readonly data: string;
  readonly flags: EvalFlags;
  readonly network: Network;
  readonly checkpoint: Checkpoint;
  readonly samples: readonly CheckedSample[];
  /** Sentences about images that are left out; more may come. */
  readonly failures: string[];
}

async function evaluateSamples(work: Work): Promise<EvaluationResult> {
  const { path, folder, data, flags, checkpoint, samples, failures } = work;
  const { classes } = checkpoint.facts;
  const choice = flags.choosePostprocess ? new PostprocessChoice(classes) : null;
  const own = { path, data, flags, facts: checkpoint.facts, samples };
  const objects = objectEvaluation(own);
  const pictures = new EvalPictures();
  const progress = createProgress({ label: "evaluating", total: samples.length });
  let result: EvaluationResult;
  try {
    result = await scored(work, objects, {
      samples,
      classes: checkpoint.facts.classes.length,
      roc: flags.roc,
      ...(flags.area ? { area: flags.area } : {}),
      ...(flags.strata ? { limits: flags.strata } : {}),
      ...(flags.extended === false ? {} : { extended: extendedOptions(flags) }),
      onImage: (done, _total, map) => {
        progress.update(done);
        choice?.add(map.prediction, map.target, map);
        if (flags.overlays > 0) pictures.add(map);
      },
    });
  } finally {
    progress.stop();
  }
  const { split, area = "release" } = flags;
  const source = { checkpoint: path, data, split, classes, area, failures };
  const rules = flags.postprocess ? rulesOf(work) : undefined;
  const report = evaluationReport(source, result, rules);
  const tables = writeEvaluation(folder, report, result);
  const shown = { count: flags.overlays, show: flags.show, classes: checkpoint.facts.classes.length };
  await pictures.write(join(folder, "overlays"), result.images, shown);
  if (flags.json) printJson(report);
  else print(work, result);
  note(`written: ${folder} (eval.json, ${tables.length} CSV tables, overlays)`);
  if (choice) storeChoice(runOf(path), { data, split, checkpoint: basename(path) }, choice);
  if (objects) storeSeparation(own, objects);
  sayFailures(failures, result);
  return result;
}

const rulesOf = ({ path, checkpoint }: Work) => readPostprocess(runOf(path), checkpoint.facts.classes.length).rules;

/** The scores at the size that the flags ask for. */
async function scored(
  work: Work,
  objects: ObjectEvaluation | undefined,
  options: ScoreOptions,
): Promise<EvaluationResult> {
  const { path, flags, network, checkpoint, samples, failures } = work;
  if (sizeOf(flags) === "native") {
    const predictor = new Predictor(network, checkpoint, predictorOptions(path, checkpoint.facts, flags));
    try {
      const onFailure = ({ message }: Error) => void failures.push(message);
      return await evaluateNative({ ...options, predictor, objects, onFailure });
    } finally {
      predictor.destroy();
    }
  }
  const { mean, std } = checkpoint.facts;
  const borders = checkpoint.facts.borders !== undefined;
  const inference = await network.inference({
    batch: Math.min(flags.batchSize ?? 4, samples.length),
    probabilities: flags.roc || borders,
    precision: flags.precision,
  });
  const pool = new SamplePool();
  try {
    const postprocess = flags.postprocess ? rulesOf(work) : [];
    return await evaluateSplit(network, {
      ...options,
      borders,
      statistics: { mean, std },
      inference,
      pool,
      postprocess,
    });
  } finally {
    await pool.close();
    inference.program.destroy();
  }
}

function extendedOptions({ tolerance, resamples }: EvalFlags) {
  return { ...(tolerance === undefined ? {} : { tolerance }), ...(resamples === undefined ? {} : { resamples }) };
}

function print({ path, flags, checkpoint, failures }: Work, result: EvaluationResult): void {
  const { classes } = checkpoint.facts;
  const { split, area = "release" } = flags;
  for (const line of summaryLines(result, { split, classes, failures: failures.length })) printLine(line);
  for (const line of uncountedLines(result)) note(line);
  if (flags.full) {
    printLine("");
    printEvaluation(result, classes, area);
    if (result.objects) printObjectScores(result.objects, classes);
  }
  if (result.scoredAt === "native" && isPaperRun(path)) {
    note("the paper's recipe trained this run: --recipe paper scores as its tables do");
  }
}

/** The list that ends the output, and the exit code that goes with it. */
function sayFailures(failures: readonly string[], { images, ignored }: EvaluationResult): void {
  if (failures.length === 0) return;
  const all = images.length + ignored.length + failures.length;
  note(`${failures.length} of ${all} images could not be scored and are left out of everything above:`);
  for (const sentence of failures) note(`  - ${sentence}`);
  process.exitCode = 1;
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
