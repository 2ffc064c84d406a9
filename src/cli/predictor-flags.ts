import type { Command } from "commander";
import { runOf } from "../experiment/checkpoint/load-run.ts";
import { readPostprocess } from "../experiment/evaluate/postprocess.ts";
import { readSeparation } from "../experiment/evaluate/separation.ts";
import type { CheckpointFacts } from "../inference/checkpoint/facts.ts";
import type { PredictorOptions } from "../inference/predictor.ts";
import { TILE_OVERLAP } from "../inference/tiles.ts";
import { type PartingDepths, USUAL_DEPTH } from "../objects/split.ts";
import type { Precision } from "../training/passes.ts";
import { numberFrom, share, wholeNumber } from "./arguments.ts";

/** How images of any size are predicted: the flags that `predict` and `eval` share. */
export interface PredictorFlags {
  readonly tile?: number | true;
  readonly overlap?: number;
  readonly tta?: true;
  readonly postprocess?: true;
  readonly separate?: number | true;
  readonly precision?: Precision;
}

/** Adds `--tile`, `--overlap` and `--tta`. */
export function addPredictorOptions(command: Command): Command {
  return command
    .option(
      "--tile [pixels]",
      "cut large images into square tiles (default size: as trained), blended smoothly; networks trained on --patches always work so",
      wholeNumber(1),
    )
    .option("--overlap <share>", "share of a tile that neighbours have in common, at least", share(0.9), TILE_OVERLAP)
    .option("--tta", "average the probabilities of flips and quarter turns (eight views)")
    .option(
      "--separate [depth]",
      `part objects that touch where necks are so many pixels lower than middles, those of a network trained with --borders where it sees borders (default: as --choose-separate found, else ${USUAL_DEPTH})`,
      numberFrom(0, "pixels"),
    );
}

/** How touching objects of a class are parted by a network, in words. */
export function partingRule(depth: number | null, { borders }: Pick<CheckpointFacts, "borders">): string {
  if (depth === null) return "not parted";
  if (borders === undefined) return `parted at a depth of ${depth} px`;
  return `parted by the borders between them, middles deeper than ${depth} px`;
}

/** How touching objects are parted; undefined where nobody asked for it. */
export function partingDepths(
  path: string,
  { classes }: CheckpointFacts,
  { separate }: PredictorFlags,
): PartingDepths | undefined {
  if (separate === undefined) return undefined;
  const chosen = separate === true ? readSeparation(runOf(path), classes.length) : undefined;
  if (chosen) return chosen;
  const depth = separate === true ? USUAL_DEPTH : separate;
  return Array.from({ length: classes.length - 1 }, () => depth);
}

/** What the flags mean for a checkpoint, whose file is `path`; `--postprocess` reads the rules of its run. */
export function predictorOptions(
  path: string,
  { config, classes, resolution }: CheckpointFacts,
  flags: PredictorFlags,
): PredictorOptions {
  const { tile, overlap = TILE_OVERLAP, tta, postprocess, precision } = flags;
  const size = typeof tile === "number" ? { width: tile, height: tile } : config;
  return {
    ...(precision === undefined ? {} : { precision }),
    ...(tile === undefined && resolution !== "native"
      ? {}
      : { tiles: { size: { width: size.width, height: size.height }, overlap } }),
    ...(tta ? { views: true } : {}),
    ...(postprocess ? { rules: readPostprocess(runOf(path), classes.length).rules } : {}),
  };
}
