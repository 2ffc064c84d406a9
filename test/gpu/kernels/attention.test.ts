import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { attention } from "../../../src/kernels/ops/attention/attention.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { evaluate } from "../../../src/parity/evaluate.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import {
  type AttentionData,
  type AttentionSizes,
  attentionKey,
  attentionReference,
  attentionRow,
} from "../../reference/attention.ts";
import { deviation, noise } from "../../support/numbers.ts";

const TOLERANCE = 2e-5;

function dataOf({ lanes, tokens, heads, dim }: AttentionSizes): AttentionData {
  const make = (seed: number) => noise(lanes * tokens * heads * dim, seed).map((v) => 2.5 * v);
  return { q: make(1), k: make(2), v: make(3), upstream: make(4) };
}

async function compare(device: Device, sizes: AttentionSizes): Promise<number> {
  const shape = [sizes.lanes, sizes.tokens, sizes.heads * sizes.dim];
  const data = dataOf(sizes);
  const given = { q: { shape, data: data.q }, k: { shape, data: data.k }, v: { shape, data: data.v } };
  const { outputs, grads } = await evaluate(
    device,
    given,
    (graph, { q, k, v }) => (q && k && v ? graph.apply(attention, { q, k, v }, { heads: sizes.heads }) : []),
    { upstream: data.upstream },
  );
  const expected = attentionReference(data, sizes);
  return Math.max(
    deviation(outputs[0]?.data, expected.out),
    ...(["q", "k", "v"] as const).map((name) => deviation(grads[name], expected[name])),
  );
}

const VARIANTS: readonly (readonly [string, Partial<Target>])[] = [
  ["this adapter's choice", {}],
  ["tiles in workgroup memory", { software: false }],
  ["every row read by itself", { software: true, subgroupSize: null }],
];

describe.each(VARIANTS)("%s", (_, target) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ target });
  });
  afterAll(() => device.close());

  test.each([
    [1, 1, 1, 4],
    [2, 67, 2, 4],
    [2, 13, 2, 3],
  ])("%i lanes, %i tokens, %i heads of %i equal float64", async (lanes, tokens, heads, dim) => {
    expect(await compare(device, { lanes, tokens, heads, dim })).toBeLessThan(TOLERANCE);
  });
});

describe("long rows and many tokens", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice();
  });
  afterAll(() => device.close());

  test.each([
    [1, 517, 1, 8],
    [1, 21, 2, 65],
    [1, 21, 1, 128],
  ])("%i lanes, %i tokens, %i heads of %i equal float64", async (lanes, tokens, heads, dim) => {
    expect(await compare(device, { lanes, tokens, heads, dim })).toBeLessThan(TOLERANCE);
  });

  test("scores far from zero neither overflow nor vanish", async () => {
    const shape = [1, 9, 4];
    const q = { shape, data: noise(36, 5).map((v) => 60 * v) };
    const k = { shape, data: noise(36, 6).map((v) => 60 * v) };
    const v = { shape, data: noise(36, 7) };
    const upstream = noise(36, 8);
    const { outputs, grads } = await evaluate(
      device,
      { q, k, v },
      (graph, t) =>
        t["q"] && t["k"] && t["v"] ? graph.apply(attention, { q: t["q"], k: t["k"], v: t["v"] }, { heads: 1 }) : [],
      { upstream, wanted: ["v"] },
    );
    const expected = attentionReference(
      { q: q.data, k: k.data, v: v.data, upstream },
      { lanes: 1, tokens: 9, heads: 1, dim: 4 },
    );
    // A score of a thousand has a rounding of 1e-4 in f32, and so have the weights.
    expect(deviation(outputs[0]?.data, expected.out)).toBeLessThan(2e-3);
    expect(deviation(grads["v"], expected.v)).toBeLessThan(2e-3);
  });

  test("16384 tokens need memory for the tokens only, and chosen rows equal float64", async () => {
    const sizes = { lanes: 1, tokens: 16384, heads: 1, dim: 8 };
    const shape = [1, sizes.tokens, sizes.dim];
    const data = dataOf(sizes);
    const graph = new Graph();
    const [q, k, v] = [graph.input("q", shape), graph.input("k", shape), graph.input("v", shape)];
    const seed = graph.input("upstream", shape);
    const [out, sums = out] = graph.applyAll(attention, { q, k, v }, { heads: 1 });
    const grads = differentiate(graph, out, seed, [q, k, v]);
    const [dq = out, dk = out, dv = out] = [q, k, v].map((value) => grads.get(value.id));
    const program = await Program.compile(device, graph, {
      store: new StateStore(device),
      keep: [out, sums, dq, dk, dv],
    });
    // Eight tensors of rows and two of one number a token; the scores alone would be 1 GiB.
    expect(program.bytes).toBeLessThan(16384 * 4 * (8 * 8 + 3));
    for (const [name, numbers] of Object.entries(data)) program.write(name, numbers);
    program.run();
    const forward = { out: await program.read(out), lse: await program.read(sums) };
    const [queries, keys, values] = [await program.read(dq), await program.read(dk), await program.read(dv)];
    const rowOf = (all: Float32Array, row: number) => all.subarray(row * sizes.dim, (row + 1) * sizes.dim);
    for (const row of [0, 7, 8, 4095, 8191, 12345, 16383]) {
      const expected = attentionRow(data, sizes, row);
      expect(deviation(rowOf(forward.out, row), expected.out)).toBeLessThan(TOLERANCE);
      expect(deviation(forward.lse.subarray(row, row + 1), [expected.lse])).toBeLessThan(TOLERANCE);
      expect(deviation(rowOf(queries, row), expected.q)).toBeLessThan(TOLERANCE);
    }
    for (const key of [0, 5001, 16383]) {
      const expected = attentionKey(data, sizes, forward, key);
      expect(deviation(rowOf(keys, key), expected.k)).toBeLessThan(TOLERANCE);
      expect(deviation(rowOf(values, key), expected.v)).toBeLessThan(TOLERANCE);
    }
    program.destroy();
  });
});
