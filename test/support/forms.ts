import type { Device } from "../../src/kernels/device/device.ts";
import { arenaOf, CLOCKS_ARENA, CONTROL, GROUPS } from "../../src/model/keys.ts";
import { DEFAULT_LOSS } from "../../src/model/supervision.ts";
import type { NetworkConfig } from "../../src/model/zoo.ts";
import { Network } from "../../src/training/network.ts";
import type { Form } from "../../src/training/passes.ts";
import { allocateTraining, compileStep, compileUpdate } from "../../src/training/trainer.ts";
import type { TrainingBatch, TrainingSettings } from "../../src/training/training-trace.ts";
import { noise } from "./numbers.ts";
import { ADAMW } from "./training-trace.ts";

export type Tensors = ReadonlyMap<string, Float32Array>;

const SGD = { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 1e-2, clipNorm: null } as const;
/** The largest move of a weight in a step: so small that the rounding by which forms differ is not amplified. */
const LARGEST_MOVE = 1e-3;
const RATE = 1e-2;
const SEED = 3;

/** A network whose statistics and norms are not the trivial ones of the start, ready to train by either optimizer. */
export async function livelyNetwork(device: Device, config: NetworkConfig): Promise<Network> {
  const network = await Network.create(device, config, 1);
  const start = await network.read();
  for (const [i, { name, kind, shape }] of network.table.list().entries()) {
    const [length = 0] = shape;
    const values = noise(length, i + 1);
    if (kind === "statistic") network.write(name, /var/.test(name) ? values.map((v) => 1 + 0.5 * v) : values);
    else if (kind === "weight" && shape.length === 1 && !name.endsWith("bias")) {
      const own = start.get(name);
      network.write(
        name,
        values.map((v, at) => (own?.[at] ?? 0) + 0.3 * v),
      );
    }
  }
  await allocateTraining(network, { optimizer: ADAMW, accumulate: 2 });
  return network;
}

/** Logits of a batch, and how many dispatches they took. */
export async function logitsIn(network: Network, form: Form, images: Float32Array, batch: number) {
  const { program, logits, feed } = await network.inference({ batch, form });
  try {
    program.poison();
    feed(program, images);
    program.run();
    return { logits: await program.read(logits), dispatches: program.once + program.dispatches.length };
  } finally {
    program.destroy();
  }
}

/** What a form of the training step gives: the first step in full, and the weights after three. */
export interface Trained {
  /** Loss, outputs, gradients and running statistics of the first step. */
  readonly first: Tensors;
  readonly gradients: Tensors;
  readonly rate: number;
  /** By how much three steps moved the weights. */
  readonly moves: Tensors;
  readonly dispatches: number;
}

/**
 * Biases behind norms that keep nearly every rectifier open. A value within rounding of a kink falls on either side of it,
 * and in a network this small one such value is a tenth of a gradient: steps that follow each other would part there.
 */
function openRectifiers(network: Network): void {
  for (const [i, { name, shape }] of network.table.list("weight").entries()) {
    const [length = 0] = shape;
    if (/norm[^.]*\.bias$/.test(name))
      network.write(
        name,
        noise(length, i + 1).map((v) => 3 + 0.3 * v),
      );
  }
}

/**
 * A step at a rate of 0, then three by SGD on one batch, at a rate that is chosen by the gradients unless given. Adam's
 * first steps would turn the rounding of tiny gradients into whole steps.
 */
export async function trainIn(network: Network, form: Form, batch: TrainingBatch, given?: number): Promise<Trained> {
  const count = batch.images.length / (3 * batch.height * batch.width);
  const settings: TrainingSettings = {
    ...{ batch: count, loss: DEFAULT_LOSS, optimizer: SGD, accumulate: 1, rates: () => 1, form, keepHeads: true },
  };
  const { trace, program } = await compileStep(network, settings);
  const classWeights = new Float32Array(network.config.classes).fill(1);
  const run = (index: number, rate: number) => {
    const draws = trace.draws.sample(SEED, index, network.regions);
    trace.feed(program, batch, { rate, classWeights, draws });
    program.run();
  };
  try {
    program.poison();
    run(0, 0);
    const first = new Map<string, Float32Array>([["loss", await program.read(trace.loss)]]);
    for (const { name, logits } of trace.heads) first.set(`output ${name}`, await program.read(logits));
    for (const [name, data] of await network.readStatistics()) first.set(name, data);
    const gradients = await network.read("gradient");
    openRectifiers(network);
    run(1, 0);
    const slopes = await network.read("gradient");
    const rate = given ?? LARGEST_MOVE / Math.max(...[...slopes.values()].map(largest));
    const before = await network.read();
    for (const index of [2, 3, 4]) run(index, rate);
    const moves = new Map<string, Float32Array>();
    for (const [name, data] of await network.read()) {
      const start = before.get(name);
      moves.set(
        name,
        Float32Array.from(data, (value, i) => value - (start?.[i] ?? Number.NaN)),
      );
    }
    return { first, gradients, rate, moves, dispatches: program.dispatches.length };
  } finally {
    program.destroy();
  }
}

/** The first AdamW update by given gradients, by the optimizer's own program and by its definition in float64. */
export async function updateBy(
  network: Network,
  gradients: Tensors,
): Promise<{ readonly got: Tensors; readonly exact: ReadonlyMap<string, Float64Array> }> {
  const { store } = network;
  for (const group of GROUPS) for (const role of ["first", "second"] as const) store.clear(arenaOf(role, group));
  for (const arena of [CONTROL.arena, CLOCKS_ARENA]) store.clear(arena);
  for (const [name, data] of gradients) network.write(name, data, "gradient");
  const before = await network.read();
  const { program, trace } = await compileUpdate(network, { optimizer: ADAMW, rates: () => 1 }, "gradient");
  try {
    trace.feed(program, { rate: RATE, factor: 1 });
    program.run();
    const exact = new Map<string, Float64Array>();
    for (const [name, data] of before) {
      const gradient = gradients.get(name);
      // From moments of zero, the bias corrections cancel: the step is the rate against the gradient's sign, nearly.
      const moved = (value: number, at: number) => {
        const g = gradient?.[at] ?? Number.NaN;
        return value * (1 - RATE * ADAMW.weightDecay) - (RATE * g) / (Math.abs(g) + ADAMW.eps);
      };
      exact.set(name, Float64Array.from(data).map(moved));
    }
    return { got: await network.read(), exact };
  } finally {
    program.destroy();
  }
}

const largest = (data: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i] ?? Number.NaN));
  return most;
};

/**
 * The tensor that differs most, by its largest difference over its largest number, or over `floor` of the largest of all
 * tensors where that is more. NaN where a tensor is missing or holds NaN.
 */
export function worstDifference(
  got: Tensors,
  expected: ReadonlyMap<string, ArrayLike<number>>,
  floor = 0.01,
): { readonly name: string; readonly ratio: number } {
  const least = floor * Math.max(...[...expected.values()].map(largest));
  let worst = { name: "", ratio: 0 };
  for (const [name, data] of expected) {
    const other = got.get(name);
    const differences = Float64Array.from(
      { length: data.length },
      (_, i) => (data[i] ?? 0) - (other?.[i] ?? Number.NaN),
    );
    const ratio = largest(differences) / Math.max(least, largest(data));
    if (!(ratio <= worst.ratio)) worst = { name, ratio };
  }
  return worst;
}
