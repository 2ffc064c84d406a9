import { count } from "../../model/count.ts";
import { traceNetwork } from "../../model/zoo.ts";
import { trainingNeeds } from "../../training/costs.ts";
import { precisionOf, repeatOf } from "../settings/recipe.ts";
import type { StudyRun } from "./plan.ts";
import type { RunState } from "./runner.ts";
import { timetableOf } from "./train-here.ts";

/** What a run takes, told without a GPU. */
export interface RunNeeds {
  readonly parameters: number;
  /** Bytes on the GPU that a training step needs at the least. */
  readonly gpuBytes: number;
  /** Bytes of the checkpoints that a run keeps: two complete states and the best weights. */
  readonly diskBytes: number;
  /** Multiply-accumulates of one image. */
  readonly macs: number;
  /** Images that are trained on. */
  readonly trainImages: number;
  /** Images that are evaluated, by the validations and the table. */
  readonly evalImages: number;
}

/** What a short trial took, milliseconds an image, on a network of so many multiply-accumulates an image. */
export interface TrialTimes {
  readonly macs: number;
  readonly trainMs: number;
  readonly evalMs: number;
}

/** What is left of a study. */
export interface StudyEstimate {
  /** Of the runs that are not finished. Null without a trial. */
  readonly hours: number | null;
  /** Of the run that needs the most. */
  readonly gpuBytes: number;
  /** Of all checkpoints. */
  readonly diskBytes: number;
}

/** Numbers of a parameter that a complete state holds besides it: AdamW has two moments, SGD one. */
const MOMENTS = { adamw: 2, sgd: 1 } as const;

/** What a run takes. */
export function needsOf(run: StudyRun): RunNeeds {
  const { config, network, data } = run;
  const { build } = traceNetwork(network, { mode: "eval", batch: 1 });
  const { parameters, macs } = count(build.graph, build.parameters);
  const { gpu } = trainingNeeds(network, config.batchSize, repeatOf(config), precisionOf(config));
  const { duration, batchesPerEpoch } = timetableOf(run);
  const validations = Math.ceil(duration.epochs / config.evalEvery);
  const val = data.dataset.splits.val?.length ?? 0;
  const state = 4 * parameters;
  const images = Math.min(batchesPerEpoch * config.batchSize, data.dataset.splits.train?.length ?? 0);
  return {
    parameters,
    gpuBytes: gpu,
    diskBytes: 2 * (1 + MOMENTS[config.optimizer]) * state + (val > 0 ? state : 0),
    macs,
    trainImages: (duration.steps / duration.stepsPerEpoch) * images,
    evalImages: validations * val + data.scored.samples.length,
  };
}

/** One run with its needs and how far it is. */
export interface EstimatedRun {
  readonly run: StudyRun;
  readonly needs: RunNeeds;
  readonly state: RunState;
}

/**
 * What a study takes: time in proportion to the multiply-accumulates of the trial's network, of runs that are not finished (a
 * begun one counts whole); memory of the largest run; disk of all of them.
 */
export function estimateOf(runs: readonly EstimatedRun[], trial: TrialTimes | null): StudyEstimate {
  const left = runs.filter(({ state }) => state !== "finished");
  const milliseconds = (times: TrialTimes) =>
    left.reduce((sum, { needs: { macs, trainImages, evalImages } }) => {
      return sum + (macs / times.macs) * (trainImages * times.trainMs + evalImages * times.evalMs);
    }, 0);
  return {
    hours: trial === null ? null : milliseconds(trial) / 3.6e6,
    gpuBytes: runs.reduce((most, { needs }) => Math.max(most, needs.gpuBytes), 0),
    diskBytes: runs.reduce((sum, { needs }) => sum + needs.diskBytes, 0),
  };
}
