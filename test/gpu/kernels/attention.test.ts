import { expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { attended } from "../../../src/checks/cases/attention.ts";
import { checkCase, slopeAt } from "../../../src/checks/check-case.ts";
import { noise } from "../../../src/checks/draw.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import { at, row } from "../../../src/checks/tensor.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import { attention } from "../../../src/kernels/ops/attention/attention.ts";
import type { Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { deviation } from "../../support/numbers.ts";

const TOLERANCE = 2e-5;

/** Kernels that the adapter at hand would not choose. */
const VARIANTS: readonly (readonly [string, Partial<Target>, cases: readonly number[]])[] = [
  // Longer heads would be unrolled, as GPUs want it and which takes a CPU driver minutes.
  ["tiles in workgroup memory", { software: false }, [0, 1, 2]],
  ["every row read by itself", { software: true, subgroupSize: null }, [0, 1, 2]],
  ["own rows of long heads read again for each block", { software: true, subgroupSize: null }, [6]],
];

test.each(VARIANTS)("%s equal the definition", async (_, target, chosen) => {
  const device = await openDevice({ target });
  try {
    const cases = OP_CHECKS.attention.cases.filter((_, index) => chosen.includes(index));
    for (const one of cases) expect((await checkCase(device, OP_CHECKS.attention, one)).problems).toEqual([]);
    expect(cases.length).toBe(chosen.length);
  } finally {
    device.close();
  }
});

test("heads of more than 128 features equal the definition", async () => {
  const device = await openDevice();
  try {
    const shape = [1, 19, 132];
    const inputs = { q: noise(shape, { scale: 1 }), k: noise(shape, { scale: 1 }), v: noise(shape, { scale: 2.5 }) };
    const wide = OP_CHECKS.attention.cases.slice(0, 1).map((one) => ({ ...one, inputs, attrs: { heads: 1 } }));
    for (const one of wide) expect((await checkCase(device, OP_CHECKS.attention, one)).problems).toEqual([]);
    expect(wide.length).toBe(1);
  } finally {
    device.close();
  }
});

const TOKENS = 16384;
const DIM = 8;
const SHAPE = [1, TOKENS, DIM] as const;

/** The numbers of a row of features. */
const rowOf = <T extends Float32Array>(all: T, token: number) => all.subarray(token * DIM, (token + 1) * DIM);

/**
 * Gradients of one key and value, summed over all queries, from the outputs and log-sum-exps of a forward pass: to
 * compute those from the definition for every query would take minutes.
 */
function keyGradients(
  data: Readonly<Record<"q" | "k" | "v" | "upstream", Float32Array>>,
  forward: { readonly out: Float32Array; readonly lse: Float32Array },
  key: number,
) {
  const [k, v] = [new Float64Array(DIM), new Float64Array(DIM)];
  for (let query = 0; query < TOKENS; query++) {
    let [score, slope] = [0, 0];
    for (let d = 0; d < DIM; d++) {
      const upstream = at(data.upstream, query * DIM + d);
      score += at(data.q, query * DIM + d) * at(data.k, key * DIM + d);
      slope += upstream * (at(data.v, key * DIM + d) - at(forward.out, query * DIM + d));
    }
    const weight = Math.exp(score / Math.sqrt(DIM) - at(forward.lse, query));
    for (let d = 0; d < DIM; d++) {
      k[d] = at(k, d) + (weight * slope * at(data.q, query * DIM + d)) / Math.sqrt(DIM);
      v[d] = at(v, d) + weight * at(data.upstream, query * DIM + d);
    }
  }
  return { k, v };
}

function trace() {
  const graph = new Graph();
  const [q, k, v] = [graph.input("q", SHAPE), graph.input("k", SHAPE), graph.input("v", SHAPE)];
  const seed = graph.input("upstream", SHAPE);
  const [out, sums = out] = graph.applyAll(attention, { q, k, v }, { heads: 1 });
  const grads = differentiate(graph, out, seed, [q, k, v]);
  const [dq = out, dk = out, dv = out] = [q, k, v].map((value) => grads.get(value.id));
  return { graph, out, sums, dq, dk, dv };
}

test("16384 tokens need memory for the tokens only, and chosen rows equal the definition", async () => {
  const device = await openDevice();
  try {
    const draw = (seed: number) => Float32Array.from(noise(SHAPE, { scale: 2.5 }).numbers(seed));
    const data = { q: draw(1), k: draw(2), v: draw(3), upstream: draw(4) };
    const { graph, out, sums, dq, dk, dv } = trace();
    const program = await Program.compile(device, graph, {
      store: new StateStore(device),
      keep: [out, sums, dq, dk, dv],
    });
    // Eight tensors of rows and two of one number a token; the scores alone would be 1 GiB.
    expect(program.bytes).toBeLessThan(TOKENS * 4 * (8 * DIM + 3));
    for (const [name, numbers] of Object.entries(data)) program.write(name, numbers);
    program.run();
    const forward = { out: await program.read(out), lse: await program.read(sums) };
    const [queries, keys, values] = [await program.read(dq), await program.read(dk), await program.read(dv)];
    const exact = (numbers: Float32Array) => ({ shape: SHAPE, data: Float64Array.from(numbers) });
    const given = { q: exact(data.q), k: exact(data.k), v: exact(data.v) };
    for (const token of [0, 7, 8, 4095, 8191, 12345, 16383]) {
      const [result, lse] = attended(given, { heads: 1 });
      const places = row(token, DIM);
      expect(
        deviation(
          rowOf(forward.out, token),
          places.map((i) => result?.at(i) ?? Number.NaN),
        ),
      ).toBeLessThan(TOLERANCE);
      expect(deviation(forward.lse.subarray(token, token + 1), [lse?.at(token) ?? Number.NaN])).toBeLessThan(TOLERANCE);
      const slopes = places.map((index) =>
        slopeAt(OP_CHECKS.attention, { attrs: { heads: 1 } }, { given, input: "q", index, upstream: data.upstream }),
      );
      expect(deviation(rowOf(queries, token), slopes)).toBeLessThan(TOLERANCE);
    }
    for (const key of [0, 5001, 16383]) {
      const expected = keyGradients(data, forward, key);
      expect(deviation(rowOf(keys, key), expected.k)).toBeLessThan(TOLERANCE);
      expect(deviation(rowOf(values, key), expected.v)).toBeLessThan(TOLERANCE);
    }
    program.destroy();
  } finally {
    device.close();
  }
});
