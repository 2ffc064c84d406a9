import { describe, expect, test } from "vitest";
import { peakOf } from "../../../src/kernels/compile/peak.ts";
import { multiply } from "../../../src/kernels/ops/arithmetic.ts";
import { batchNormTrain } from "../../../src/kernels/ops/norm/batch-norm.ts";
import { relu, sigmoid } from "../../../src/kernels/ops/pointwise.ts";
import { reduceSum } from "../../../src/kernels/ops/reduce/reduce.ts";
import { accumulate } from "../../../src/kernels/ops/update/update.ts";
import { fuse } from "../../../src/kernels/passes/fuse.ts";
import { type Allowance, CHEAP, CHECKPOINTS, recompute } from "../../../src/kernels/passes/recompute.ts";
import { Graph, readsOf, type Step, shapesOf } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";
import type { TrainingTrace } from "../../../src/training/training-trace.ts";
import { tracedStep } from "../../support/training-trace.ts";

const NOTHING: Allowance = { time: 0, macs: 0, smallest: Number.POSITIVE_INFINITY };
const ANYTHING: Allowance = { time: Number.POSITIVE_INFINITY, macs: Number.POSITIVE_INFINITY, smallest: 0 };

const isRepeated = ({ path }: Step) => path.endsWith(" again");
const namesOf = (graph: Graph) => graph.steps.map((step) => `${step.op.name}${isRepeated(step) ? " again" : ""}`);
const macsOf = ({ steps }: Graph) =>
  steps.reduce(
    (sum, { op, inputs, outputs, attrs }) => sum + op.macs(shapesOf(inputs), outputs[0]?.shape ?? [], attrs),
    0,
  );

/** Ops whose first output has the bits of another's. */
const SAME_RESULT: Readonly<Record<string, string>> = { batchNormBy: "batchNormTrain", conv2dStatistics: "conv2d" };

/**
 * What every tensor of a trace is made of, as a number: equal numbers mean equal bits. Steps that are not repetitions, in
 * their order, with what they read. Throws where a tensor is read before it is made.
 */
function meanings(graph: Graph): readonly string[] {
  const numbers = new Map<string, number>();
  const numberOf = (text: string) => numbers.get(text) ?? numbers.set(text, numbers.size).size - 1;
  const textOf = (number: number) => [...numbers.keys()][number] ?? "";
  const made = new Map<number, number>();
  for (const [i, { id }] of [...graph.inputs.values(), ...graph.stored].entries())
    made.set(id, numberOf(`outside ${i}`));
  const meaning = ({ id, shape }: Value) => {
    const found = made.get(graph.root(id));
    if (found === undefined) throw new Error(`[${shape}] is read before it is made`);
    return found;
  };
  const told: string[] = [];
  for (const step of graph.steps.filter(({ op }) => op.name !== "view")) {
    const { statistics, x } = step.inputs;
    const byStatistics = step.op.name === "batchNormBy";
    const read = readsOf(step).filter((value) => !(byStatistics && value === statistics));
    const name = SAME_RESULT[step.op.name] ?? step.op.name;
    const { activation = "", slope = "" } = step.epilogue;
    const text = `${name} ${JSON.stringify(step.attrs)} ${activation}${slope} of ${read.map(meaning)}`;
    if (byStatistics && statistics && x) {
      // Of the norm that is repeated, or of the convolution that made what is normalised.
      const ofConvolution = textOf(meaning(x)).replace(/: 0$/, ": 1");
      expect([`${text}: 1`, ofConvolution]).toContain(textOf(meaning(statistics)));
    }
    for (const [i, { id }] of step.outputs.entries()) made.set(id, numberOf(`${text}: ${i}`));
    if (!isRepeated(step)) told.push(text);
  }
  return told;
}

/** Three times a step and a norm, and then what reads both results of each in the other order, as backward does. */
function upAndDown() {
  const graph = new Graph();
  const [weight, bias] = [graph.state("weight", [4]), graph.state("bias", [4])];
  const read: Value[] = [];
  let value = graph.input("x", [1, 64, 64, 4]);
  for (let layer = 0; layer < 3; layer++) {
    const x = graph.apply(sigmoid, { x: value }, {});
    value = graph.apply(relu, { x: graph.apply(batchNormTrain, { x, weight, bias }, { eps: 1e-5 }) }, {});
    read.push(x, value);
  }
  const down = read
    .toReversed()
    .reduce((grad, y) => graph.apply(multiply, { x: grad, y: asView(graph, y) }, {}), value);
  const sum = graph.apply(reduceSum, { x: down }, { axes: [0, 1, 2], factor: 1 });
  fuse(graph, [sum]);
  return { graph, keep: [sum], placed: [] };
}

const asView = (graph: Graph, value: Value) => graph.view(graph.view(value, [4, 32, 32, 4]), value.shape);

describe("a tensor that is read long after it was made", () => {
  test("is made again where it is read, from what is there, without summing statistics twice", () => {
    const plain = upAndDown();
    const { graph, ...results } = upAndDown();
    recompute(graph, results, ANYTHING);
    expect(meanings(graph)).toEqual(meanings(plain.graph));
    expect(peakOf(graph, results.keep).bytes).toBeLessThan(0.8 * peakOf(plain.graph, plain.keep).bytes);
    expect(namesOf(graph)).toContain("batchNormBy again");
    expect(namesOf(graph)).not.toContain("batchNormTrain again");
  });

  test("stays where nothing may be repeated, or only what is larger", () => {
    for (const allowance of [NOTHING, { ...ANYTHING, time: 0 }, { ...ANYTHING, smallest: 4 * 4 * 64 * 64 + 1 }]) {
      const { graph, ...results } = upAndDown();
      const before = namesOf(graph);
      recompute(graph, results, allowance);
      expect(namesOf(graph)).toEqual(before);
    }
  });

  test("stays where the caller or another storage holds it", () => {
    const { graph, keep } = upAndDown();
    const made = graph.steps.filter(({ op }) => op.name === "batchNormTrain").flatMap(({ outputs }) => outputs);
    recompute(graph, { keep: [...keep, ...made], placed: [] }, ANYTHING);
    expect(namesOf(graph)).not.toContain("batchNormBy again");
    const stored = upAndDown();
    const placed = stored.graph.steps.flatMap(({ outputs }) => outputs.map(({ id }) => id));
    recompute(stored.graph, { ...stored, placed }, ANYTHING);
    expect(stored.graph.steps.filter(isRepeated)).toEqual([]);
  });

  test("stays where what it is made from has changed since", () => {
    const { graph, ...results } = upAndDown();
    const [half] = graph.steps.filter(({ op }) => op.name === "multiply");
    const weight = graph.state("weight", [4]);
    graph.update(accumulate, { total: weight, part: weight }, {});
    const update = graph.steps.at(-1) as Step;
    const before = graph.steps.indexOf(half as Step);
    graph.replaceSteps([...graph.steps.slice(0, before), update, ...graph.steps.slice(before, -1)]);
    recompute(graph, results, ANYTHING);
    expect(graph.steps.filter(isRepeated)).toEqual([]);
  });
});

describe.each(["unet", "transnetr", "svanet"])("a training step of %s", (name) => {
  const config = fitted(fromZoo(name).config, {
    classes: 3,
    height: 64,
    width: 64,
    base: name === "unet" ? 4 : undefined,
  });
  const traced = (repeat: Allowance) => tracedStep(config, 2, { repeat }).trace;
  const peak = ({ graph, keep, placed }: TrainingTrace) => peakOf(graph, keep, placed.keys()).bytes;
  const plain = traced(NOTHING);
  const macs = macsOf(plain.graph);

  test("computes the same in less memory, within a sixtieth of the time or a third of the multiply-accumulates", () => {
    for (const [{ time, macs: share }, less] of [
      [CHEAP, 0.95],
      [CHECKPOINTS, 0.6],
    ] as const) {
      const repeated = traced({ time, macs: share, smallest: 2 ** 12 });
      expect(meanings(repeated.graph)).toEqual(meanings(plain.graph));
      expect(peak(repeated)).toBeLessThan(less * peak(plain));
      expect(macsOf(repeated.graph)).toBeLessThanOrEqual((1 + Math.min(share, 0.35)) * macs);
    }
  });
});
