import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { OPS } from "../../../src/kernels/ops.ts";
import type { AnyOp } from "../../../src/kernels/trace/op.ts";
import { evaluate } from "../../../src/parity/evaluate.ts";
import { opCheckers } from "../../../src/parity/ops.ts";
import { runParity } from "../../../src/parity/run.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import * as comparison from "../../reference/comparison-ops.ts";
import * as reference from "../../reference/ops.ts";
import type { Tensor } from "../../reference/tensor.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe("golden files", () => {
  const families = Object.keys(opCheckers({} as Device)).map((name) => name.slice("ops/".length));
  test.each(families)("%s", async (family) => {
    const path = fileURLToPath(new URL(`../../fixtures/ops/${family}.safetensors`, import.meta.url));
    const { text, exitCode } = await runParity([path], opCheckers(device));
    expect(exitCode, text).toBe(0);
  });
});

/** Numbers in [-1, 1) that repeat from run to run. */
function noise(length: number, seed: number): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

interface Case {
  readonly op: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly attrs: unknown;
  readonly expected: (...inputs: Tensor[]) => Tensor;
}

const NONE = { shape: [], data: new Float64Array() };
const plus = (a: number, b: number) => a + b;

const first =
  (f: (x: Tensor) => Tensor) =>
  (...[input = NONE]: Tensor[]) =>
    f(input);
const pair =
  (f: (x: Tensor, y: Tensor) => Tensor) =>
  (...[one = NONE, two = NONE]: Tensor[]) =>
    f(one, two);

function arithmeticCases(c: number): Case[] {
  const x = [3, 10, 6, c];
  const reductions = [[1, 2], [3], [0, 1, 2], [0, 3]].map((axes) => ({
    op: "reduceSum",
    inputs: { x: [3, 37, 53, c] },
    attrs: { axes, factor: 0.125 },
    expected: first((t) => reference.reduce(t, axes, (sum, v) => sum + 0.125 * v, 0)),
  }));
  const products = [
    [3, 1, 1, c],
    [1, 1, 1, c],
    [3, 10, 6, 1],
    [1, 10, 6, 1],
    [3, 1, 1, 1],
  ].map((y) => ({
    op: "multiply",
    inputs: { x, y },
    attrs: {},
    expected: pair((a, b) => reference.broadcast(a, b, (p, q) => p * q)),
  }));
  const resizes = [true, false].map((alignCorners) => ({
    op: "resizeBilinear",
    inputs: { x },
    attrs: { height: 23, width: 4, alignCorners },
    expected: first((t) => reference.resizeBilinear(t, 23, 4, alignCorners)),
  }));
  return [
    ...reductions,
    ...products,
    ...resizes,
    { op: "add", inputs: { x, y: x }, attrs: {}, expected: pair((a, b) => reference.broadcast(a, b, plus)) },
    {
      op: "reduceMax",
      inputs: { x: [3, 37, 53, c] },
      attrs: { axes: [1, 2] },
      expected: first((t) => reference.reduce(t, [1, 2], Math.max, -9)),
    },
    {
      op: "weightedSum",
      inputs: { weights: [1, 90], x: [5, 90, c] },
      attrs: {},
      expected: pair(reference.weightedSum),
    },
    { op: "softmax", inputs: { x: [7, c] }, attrs: {}, expected: first(reference.softmax) },
    { op: "softmax", inputs: { x: [3, 200 * c] }, attrs: {}, expected: first(reference.softmax) },
  ];
}

function movingCases(c: number): Case[] {
  const x = [3, 10, 6, c];
  const grid = { height: 4, width: 5 };
  return [
    {
      op: "maxPool2d",
      inputs: { x: [3, 9, 13, c] },
      attrs: { kernel: 3, stride: 2, padding: 1 },
      expected: first((t) => reference.maxPool(t, 3, 2, 1)),
    },
    {
      op: "adaptiveAveragePool2d",
      inputs: { x },
      attrs: grid,
      expected: first((t) => reference.adaptiveAverage(t, 4, 5)),
    },
    { op: "adaptiveMaxPool2d", inputs: { x }, attrs: grid, expected: first((t) => reference.adaptiveMax(t, 4, 5)) },
    {
      op: "resizeNearest",
      inputs: { x },
      attrs: { height: 23, width: 4 },
      expected: first((t) => reference.resizeNearest(t, 23, 4)),
    },
    { op: "pack2x2", inputs: { x }, attrs: {}, expected: first(reference.pack) },
    {
      op: "unpack2x2",
      inputs: { x: [3, 4, 15, c] },
      attrs: { height: 10, width: 6 },
      expected: first((t) => reference.unpack(t, 10, 6)),
    },
    { op: "concat2", inputs: { x0: x, x1: [3, 10, 6, 4] }, attrs: {}, expected: reference.concat },
    {
      op: "sliceLast",
      inputs: { x },
      attrs: { start: c - 4, count: 4 },
      expected: first((t) => reference.sliceLast(t, c - 4, 4)),
    },
  ];
}

/** Ops that only the comparison networks use. */
function comparisonCases(c: number): Case[] {
  const x = [3, 10, 7, c];
  const pools = [
    { kernel: 3, stride: 1, padding: 1, ceil: false, countPadding: true },
    { kernel: 3, stride: 2, padding: 1, ceil: true, countPadding: true },
    { kernel: 2, stride: 2, padding: 0, ceil: true, countPadding: false },
  ];
  const convolutions = (
    [
      [0, 2],
      [2, 0],
    ] as const
  ).map((padding) => ({
    op: "conv2d",
    inputs: { x: [2, 6, 7, c], weight: [4, 2 * padding[0] + 1, 2 * padding[1] + 1, c] },
    attrs: { stride: 1, padding, dilation: 1, groups: 1 },
    expected: pair((a, b) => comparison.convolve(a, b, padding)),
  }));
  return [
    ...pools.map((attrs) => ({
      op: "averagePool2d",
      inputs: { x },
      attrs,
      expected: first((t) => comparison.averagePool(t, attrs)),
    })),
    ...convolutions,
    {
      op: "instanceNorm",
      inputs: { x: [3, 13, 11, c], weight: [c], bias: [c] },
      attrs: { eps: 1e-3 },
      expected: (a = NONE, b = NONE, bias = NONE) => comparison.instanceNorm(a, b, bias, 1e-3),
    },
    { op: "leakyRelu", inputs: { x }, attrs: { slope: 0.1 }, expected: first((t) => comparison.leakyRelu(t, 0.1)) },
    {
      op: "pad2d",
      inputs: { x },
      attrs: { top: 2, bottom: -3, left: -1, right: 4 },
      expected: first((t) => comparison.pad(t, 2, -3, -1, 4)),
    },
    { op: "swapAxes", inputs: { x }, attrs: {}, expected: first(comparison.swapAxes) },
    { op: "swapAxes", inputs: { x: [3, 10, c, 1] }, attrs: {}, expected: first(comparison.swapAxes) },
  ];
}

const casesFor = (c: number): Case[] => [...arithmeticCases(c), ...movingCases(c), ...comparisonCases(c)];

function opNamed(name: string): AnyOp {
  const op = OPS.find((known) => known.name === name);
  if (!op) throw new Error(`there is no op ${name}`);
  return op;
}

interface Tried {
  readonly output: Float32Array;
  readonly upstream: Float32Array;
  readonly given: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
  readonly grads: Readonly<Record<string, Float32Array>>;
}

async function run(on: Device, { op, inputs, attrs }: Case): Promise<Tried> {
  const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
  const entries = Object.entries(inputs).map(([name, shape], i) => [name, { shape, data: noise(size(shape), i + 1) }]);
  const given = Object.fromEntries(entries);
  const out = opNamed(op).shape(inputs, attrs);
  const upstream = noise(size(out ?? []), 77);
  const result = await evaluate(on, given, (graph, values) => graph.apply(opNamed(op), values, attrs), { upstream });
  return { output: result.outputs[0]?.data ?? new Float32Array(), upstream, given, grads: result.grads };
}

const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 1);

function expectClose(got: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expect(got.length, what).toBe(expected.length);
  const allowed = 2e-5 * largest(expected);
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs((got[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(difference <= allowed)) expect.fail(`${what}[${i}] is ${got[i]}, not ${expected[i]} (allowed ${allowed})`);
  }
}

const CHECKED = 24;

/** Central differences of the float64 reference at some elements of an input: exact enough for every op here. */
function slopes(expected: Case["expected"], tensors: readonly Tensor[], which: number, upstream: Float32Array) {
  const { data } = tensors[which] ?? NONE;
  const loss = () => expected(...tensors).data.reduce((sum, v, i) => sum + v * (upstream[i] ?? 0), 0);
  const step = 1e-6;
  const stride = Math.max(1, Math.floor(data.length / CHECKED));
  const found: { at: number; slope: number }[] = [];
  for (let at = 0; at < data.length; at += stride) {
    const here = data[at] ?? 0;
    data[at] = here + step;
    const above = loss();
    data[at] = here - step;
    found.push({ at, slope: (above - loss()) / (2 * step) });
    data[at] = here;
  }
  return found;
}

describe.each([5, 8, 12])("against float64 loops with %i channels", (c) => {
  test.each(casesFor(c))("$op $inputs $attrs", async (tried) => {
    const { output, upstream, given, grads } = await run(device, tried);
    const tensors = Object.values(given).map(({ shape, data }) => ({ shape, data: Float64Array.from(data) }));
    expectClose(output, tried.expected(...tensors).data, "output");
    for (const [which, name] of Object.keys(given).entries()) {
      const expected = slopes(tried.expected, tensors, which, upstream);
      const got = expected.map(({ at }) => grads[name]?.[at] ?? Number.NaN);
      expectClose(
        got,
        expected.map(({ slope }) => slope),
        `gradient of ${name}`,
      );
    }
  });
});

describe("repeatability", () => {
  const picked = [
    "reduceSum",
    "multiply",
    "softmax",
    "adaptiveAveragePool2d",
    "maxPool2d",
    "resizeBilinear",
    "concat2",
  ];
  const small = casesFor(8)
    .filter(({ op }, at, all) => picked.includes(op) && all.findIndex((other) => other.op === op) === at)
    .map((known) => (known.op === "reduceSum" ? { ...known, inputs: { x: [3, 9, 11, 8] } } : known));

  test("two runs give the same bits", async () => {
    for (const tried of small) expect(await run(device, tried)).toEqual(await run(device, tried));
  });

  test("tensors bound in parts of 4096 bytes give the same bits", async () => {
    const parts = await openDevice({ target: { bindingLimit: 4096 } });
    try {
      for (const tried of small) expect(await run(parts, tried), tried.op).toEqual(await run(device, tried));
    } finally {
      parts.close();
    }
  });
});
