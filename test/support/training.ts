import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkDataset } from "../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../src/data/dataset/dataset.ts";
import type { Batch } from "../../src/data/feed/batches.ts";
import { cellsKind } from "../../src/data/synth/cells.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { runPaths } from "../../src/experiment/run/run-folder.ts";
import { resolveConfig, type TrainConfig, type TrainFlags } from "../../src/experiment/settings/config.ts";
import { networkFor, trainerOptions } from "../../src/experiment/settings/recipe.ts";
import type { TrainInput } from "../../src/experiment/train/train-input.ts";
import type { StepState } from "../../src/experiment/train/train-observer.ts";
import { runTraining } from "../../src/experiment/train/train-run.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { arenaOf, CLOCKS_ARENA, GROUPS, STATISTICS_ARENA } from "../../src/model/keys.ts";
import { Network } from "../../src/training/network.ts";
import { type SubmitOptions, Trainer } from "../../src/training/trainer.ts";
import { bits } from "./numbers.ts";

/** A folder that is gone when the tests of the file are done. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "svanet-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A small set of procedural pictures, checked. */
export async function cells(folder: string, train: number, val: number, size = 64) {
  await writeSynth(cellsKind, { out: folder, train, val, size, seed: 3 });
  const splits = val > 0 ? (["train", "val"] as const) : (["train"] as const);
  const dataset = await checkDataset(await openDataset(folder), splits, { indexFile: `${folder}.index` });
  if (!dataset.statistics) throw new Error("the set has no statistics");
  return { dataset, statistics: dataset.statistics };
}

export type Cells = Awaited<ReturnType<typeof cells>>;

/** The smallest network there is, on 64 pixels, four images a batch. */
export function tinyConfig(flags: TrainFlags): TrainConfig {
  const tiny = { data: "-", out: "-", encoder: "mini", width: 4, size: "64", batchSize: 4, lr: 1e-3, workers: 0 };
  return resolveConfig({ ...tiny, ...flags });
}

interface RunOptions extends Pick<Partial<TrainInput>, "observer"> {
  /** Stops after this many updates, as a signal does. Not the first of an epoch: nothing is under way before it. */
  readonly stopAt?: number;
}

/** Trains in this process. */
export function trainHere(
  device: Device,
  { dataset, statistics }: Cells,
  config: TrainConfig,
  options: RunOptions = {},
) {
  let done = 0;
  const quiet = { note() {}, step() {}, validated() {} };
  const observer = {
    ...quiet,
    ...options.observer,
    step(state: StepState) {
      done = state.step;
      options.observer?.step(state);
    },
  };
  const network = networkFor(config, dataset);
  const stopped = () => options.stopAt !== undefined && done >= options.stopAt - 1; // one more is under way
  return runTraining({ config, network, dataset, statistics, device, observer, stopped });
}

/** What a run leaves that must not depend on how it was carried out: both checkpoints and the numbers of every step. */
export function traceOf(folder: string) {
  const { last, best, metrics } = runPaths(folder);
  // A digest: a test that fails would print a million bytes.
  const digest = (path: string) =>
    existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
  const rows = readFileSync(metrics, "utf8").replaceAll(/"time":"[^"]*",/g, ""); // the time of day
  return { last: digest(last), best: digest(best), metrics: rows };
}

/** A batch that is an update of its own. */
export const PLAIN_STEP: SubmitOptions = {
  seed: 5,
  index: 0,
  rate: 1e-3,
  frozen: false,
  first: true,
  last: true,
  batches: 1,
};

/** The trainer that a run with this configuration has. */
export const trainerOf = (network: Network, config: TrainConfig): Promise<Trainer> =>
  Trainer.create(network, trainerOptions(config, network.config, network.table));

/** A network with its trainer, and a submit that fills in what a test does not care about and awaits the report. */
export async function tinyTrainer(device: Device, flags: TrainFlags = {}, seed = 1) {
  const config = tinyConfig(flags);
  const network = await Network.create(device, networkFor(config, { classes: ["a", "b"], folder: "-" }), seed);
  const trainer = await trainerOf(network, config);
  const submit = async (batch: Batch, options: Partial<SubmitOptions> = {}) => {
    const step = { ...PLAIN_STEP, index: batch.index, ...options };
    return await (await trainer.submit(batch, step)).report;
  };
  const destroy = () => {
    trainer.destroy();
    network.destroy();
  };
  return { config, network, trainer, submit, destroy };
}

/** The bits of everything in the named arenas, by key. */
export async function snapshot(network: Network, arenas: readonly string[]): Promise<Map<string, Uint32Array>> {
  const found = new Map<string, Uint32Array>();
  for (const arena of arenas) {
    for (const [key, data] of await network.store.readArena(arena)) found.set(key, bits(data));
  }
  return found;
}

/** Arenas that a step changes, but for the control words and gradients. */
export const STATE = [
  STATISTICS_ARENA,
  CLOCKS_ARENA,
  ...GROUPS.flatMap((group) => (["weight", "first", "second"] as const).map((role) => arenaOf(role, group))),
];

/** Flags of a run of two steps of the smallest network. */
export const TINY = [
  "--encoder",
  "mini",
  "--width",
  "4",
  "--size",
  "32",
  "--batch-size",
  "2",
  "--steps",
  "2",
  "--workers",
  "0",
];
