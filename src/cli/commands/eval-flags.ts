import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { SPLIT_NAMES, type SplitName } from "../../data/dataset/dataset.ts";
import type { Window } from "../../data/formats/window.ts";
import { UsageError } from "../../errors.ts";
import { CHECKPOINTS, type CheckpointName, runOf } from "../../experiment/checkpoint/load-run.ts";
import { readRunConfig, runPaths } from "../../experiment/run/run-folder.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { BOOTSTRAP } from "../../metrics/bootstrap.ts";
import { AREA_RULES, type AreaRule } from "../../metrics/objects.ts";
import { STRATUM_LIMITS } from "../../metrics/strata.ts";
import { SURFACE_TOLERANCE } from "../../metrics/surface.ts";
import { limitsArgument, numberFrom, shownArgument, wholeNumber, windowArgument } from "../arguments.ts";
import { adapterOption, precisionOption } from "../options.ts";
import { addPredictorOptions, type PredictorFlags } from "../predictor-flags.ts";

/** The sizes at which masks can be compared: each image's own, or the one that the network was trained at. */
const SIZES = ["native", "trained"] as const;

export interface EvalFlags extends PredictorFlags {
  readonly data?: string;
  readonly split: SplitName;
  readonly at?: (typeof SIZES)[number];
  readonly recipe?: "paper";
  readonly window?: Window;
  readonly checkpoint?: CheckpointName;
  readonly batchSize?: number;
  readonly out?: string;
  readonly overlays: number;
  readonly show?: readonly number[];
  readonly roc: boolean;
  readonly strata?: readonly number[];
  readonly area?: AreaRule;
  readonly extended?: boolean;
  readonly tolerance?: number;
  readonly resamples?: number;
  readonly choosePostprocess?: true;
  readonly chooseSeparate?: true;
  readonly full?: true;
  readonly adapter?: string;
  readonly json?: true;
}

/** Declares the options of `svanet eval`. */
export function addEvalOptions(command: Command): Command {
  command
    .argument("<run>", "run folder, or a checkpoint file")
    .option("--data <folder>", "dataset folder (default: the run's own)")
    .addOption(new Option("--split <name>", "split to evaluate").choices(SPLIT_NAMES).default("val"))
    .addOption(
      new Option("--checkpoint <which>", "checkpoint of a run folder (default: best, else last)").choices(CHECKPOINTS),
    )
    .addOption(
      new Option(
        "--at <size>",
        "size at which masks are compared: native is what predict writes, trained is the paper's way (default: native)",
      ).choices(SIZES),
    )
    .addOption(new Option("--recipe <name>", "score as the paper does: --at trained").choices(["paper"]));
  addPredictorOptions(command)
    .option("--postprocess", "remove objects from the predictions first, as --choose-postprocess found")
    .option(
      "--choose-postprocess",
      "find on these images (val only) which objects are better removed, and store that for --postprocess",
    )
    .option(
      "--choose-separate",
      "find on these images (val only, with instances/) how touching objects are best parted, and store that for --separate",
    )
    .option(
      "--window <low,high>",
      "values of pictures of more than 8 bits shown black and white (default: as in training, else dataset.yaml's)",
      windowArgument,
    )
    .option("--batch-size <n>", "images at a time, with --at trained (default: 4)", wholeNumber(1))
    .option("--out <folder>", "where to write eval.json, CSV tables and overlays (default: the run's eval folder)");
  return addScoreOptions(command)
    .option(
      "--overlays <n>",
      "pictures of the worst, median and best images and of the smallest objects",
      wholeNumber(0),
      8,
    )
    .option(
      "--show <channels>",
      "channels that pictures are drawn of, counted from 0: one in grey, or three (default: the first three, else the first)",
      shownArgument,
    )
    .option("--full", "print all tables, not ten lines; eval.json and the CSV tables hold them in any case")
    .addOption(precisionOption())
    .addOption(adapterOption())
    .option("--json", "print the result as JSON");
}

/** Which scores, of which sizes, and how far they may be off. */
function addScoreOptions(command: Command): Command {
  return command
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
      "--tolerance <length>",
      "distance within which borders agree, for the surface Dice: pixels, millimetres where dataset.yaml has the spacing",
      numberFrom(0, "pixels or millimetres"),
      SURFACE_TOLERANCE,
    )
    .option("--resamples <n>", "draws of the bootstrap intervals", wholeNumber(1), BOOTSTRAP.resamples)
    .option("--no-roc", "leave out the ROC curves");
}

/** Refuses what cannot be meant: before anything is opened, and of a checkpoint once its facts are known. */
export function checkEvalFlags(flags: EvalFlags, facts?: Pick<CheckpointFacts, "resolution">): void {
  if (facts?.resolution === "native" && sizeOf(flags) === "trained") {
    throw new UsageError(
      "--at trained, --recipe paper: this network was trained on patches at the images' own resolution and never sees them " +
        "stretched to one size; leave both out",
    );
  }
  const { split, at, recipe, tile, tta } = flags;
  if (recipe === "paper" && at === "native") {
    throw new UsageError("--recipe paper scores at the trained size: leave out --at native or --recipe paper");
  }
  const native = (tile !== undefined && "--tile") || (tta && "--tta");
  if (sizeOf(flags) === "trained" && native) {
    throw new UsageError(
      `${native}: images are stretched whole to the trained size; leave it out or score --at native`,
    );
  }
  checkObjectFlags(flags);
  if (!flags.choosePostprocess) return;
  if (split !== "val") {
    throw new UsageError(
      `--choose-postprocess with --split ${split}: rules are chosen on val; ` +
        (split === "test" ? "chosen on test they would make its figures too good" : "training images are too easy"),
    );
  }
  if (flags.postprocess) throw new UsageError("--choose-postprocess and --postprocess: choose first, then apply");
}

/** Refuses what cannot be meant of single objects. */
function checkObjectFlags(flags: EvalFlags): void {
  const { split, separate, chooseSeparate, extended } = flags;
  if (separate === undefined && !chooseSeparate) return;
  const flag = chooseSeparate ? "--choose-separate" : "--separate";
  if (sizeOf(flags) === "trained") {
    throw new UsageError(`${flag}: objects are compared at the images' own size; leave it out or score --at native`);
  }
  if (extended === false) throw new UsageError(`${flag}: --no-extended leaves single objects out; give one of the two`);
  if (!chooseSeparate) return;
  if (split !== "val") throw new UsageError(`--choose-separate with --split ${split}: depths are chosen on val`);
  if (separate !== undefined) throw new UsageError("--choose-separate and --separate: choose first, then apply");
}

/** The size that the flags ask for. */
export const sizeOf = ({ at, recipe }: EvalFlags): (typeof SIZES)[number] =>
  at ?? (recipe === "paper" ? "trained" : "native");

/** Whether a checkpoint lies in a run that was trained by the paper's recipe, as far as its config.yaml can be read. */
export function isPaperRun(checkpoint: string): boolean {
  try {
    return runConfigOf(checkpoint)?.recipe === "paper";
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** What the checkpoint's run says of itself; null for a checkpoint that lies in none. */
function runConfigOf(checkpoint: string): ReturnType<typeof readRunConfig> | null {
  const run = runOf(checkpoint);
  return existsSync(runPaths(run).config) ? readRunConfig(run) : null;
}

/** The data set to score on: the one given, else the run's. UsageError where there is neither. */
export function dataOf({ data }: EvalFlags, checkpoint: string): string {
  if (data !== undefined) return data;
  const config = runConfigOf(checkpoint);
  if (config === null)
    throw new UsageError(`--data is missing: ${checkpoint} lies in no run, whose data set it could be`);
  if (existsSync(config.data)) return config.data;
  const path = runPaths(runOf(checkpoint)).config;
  throw new UsageError(`${path} names the data set ${config.data}, which is not there from here: give --data`);
}
