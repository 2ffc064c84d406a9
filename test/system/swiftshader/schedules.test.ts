import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { shader, write } from "../../../src/kernels/shader/shader.ts";
import { DEFAULT_TARGET } from "../../../src/kernels/target.ts";
import { FREE } from "../../../src/kernels/trace/cost.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../../src/kernels/trace/op.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { casesFor, runInOrder } from "../../support/cooperative.ts";
import { barrierCount, cooperation, mirrored, ORDERS, type Order, withoutBarrier } from "../../support/mirror.ts";

/** The kernels of a GPU on a driver that runs lanes one subgroup after the other: the one on which faults repeat. */
let device: Device;
beforeAll(async () => {
  device = await openDevice({ target: { software: false, subgroupSize: null } });
});
afterAll(() => device.close());

const LANES = 64;

/** Runs a kernel of one workgroup, written as `main`, with its lanes in an order; what each lane set. */
async function probe(order: Order, functions: string, main: string): Promise<number[]> {
  const op = defineOp<unknown>()({
    name: "probe",
    inputs: [],
    shape: () => [LANES],
    lower: ({ out, target }) => {
      const tensors = { out: write(out) };
      const sizes = { lanes: LANES };
      const kernel = { label: "probe", target, tensors, sizes, functions, main };
      return [mirrored(shader({ ...kernel, workgroupSize: [LANES], workgroups: [1, 1, 1] }), null, order)];
    },
    macs: NO_MACS,
    cost: FREE,
    derivative: FIRST_ORDER,
  });
  const graph = new Graph();
  const out = graph.apply(op, {}, {});
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep: [out] });
  try {
    program.run();
    return [...(await program.read(out))];
  } finally {
    program.destroy();
  }
}

// Both kernels begin with a barrier: this driver clears workgroup memory subgroup by subgroup, each before its first one.
describe("an order of lanes on this driver", () => {
  const ticket = "var<workgroup> turn: atomic<u32>;";
  const take = "  workgroupBarrier();\n  out_set(lane, f32(atomicAdd(&turn, 1u)));";

  test("is the order in which they are visited", async () => {
    const written = await probe(ORDERS["as written"], ticket, take);
    expect(written).toEqual(Array.from({ length: LANES }, (_, i) => i));
    const reversed = await probe(ORDERS.reversed, ticket, take);
    expect(reversed).toEqual([...written].reverse());
    const mixed = await probe(ORDERS.mixed, ticket, take);
    expect([...mixed].sort((a, b) => a - b)).toEqual(written);
    expect(Math.min(...mixed.slice(1).map((turn, i) => Math.abs(turn - (mixed[i] ?? 0))))).toBeGreaterThan(4);
  });

  test("shows a missing barrier that the order as written hides", async () => {
    const held = `var<workgroup> held: array<f32, ${LANES}>;`;
    const race = (barrier: string) =>
      `  workgroupBarrier();\n  held[lane] = 1.0 + f32(lane);\n  ${barrier}\n  out_set(lane, held[0]);`;
    const right = Array.from({ length: LANES }, () => 1);
    for (const order of Object.values(ORDERS))
      expect(await probe(order, held, race("workgroupBarrier();"))).toEqual(right);
    expect(await probe(ORDERS["as written"], held, race(""))).toEqual(right);
    expect(await probe(ORDERS.reversed, held, race(""))).not.toEqual(right);
    expect(await probe(ORDERS.mixed, held, race(""))).not.toEqual(right);
  });
});

/** A pair that also sums what it reads. */
const SUMS = /store_sum\(split/;

/**
 * Every barrier of every kernel of a GPU, but for the one between a pair's loop and the sums that it then puts into the panels:
 * without it lanes could overwrite what others still read, but no order of lanes shows that here. That the list is whole is
 * checked in test/unit/kernels/mirror.test.ts.
 */
const BARRIERS = casesFor(DEFAULT_TARGET)
  .flatMap(({ one, kernels }) =>
    [...kernels].flatMap(([key, { label, wgsl }]) =>
      Array.from({ length: barrierCount(wgsl) }, (_, which) => ({ label, which, key, one, wgsl })),
    ),
  )
  .filter(({ wgsl, which }) => !(SUMS.test(wgsl) && which === 2));

describe("without one barrier", () => {
  const whole = new Map<unknown, Promise<readonly Uint32Array[]>>();

  test("no kernel is left out: panels are met by two, what they tell of columns or sum by two more, halves that are added up by one", () => {
    const kernels = casesFor(DEFAULT_TARGET).flatMap(({ kernels }) => [...kernels.values()]);
    expect(kernels.length).toBeGreaterThan(0);
    for (const { label, wgsl } of kernels) {
      const expected = /join_column/.test(wgsl) || SUMS.test(wgsl) ? 4 : /panelA0|_tile/.test(wgsl) ? 2 : 1;
      expect(barrierCount(wgsl), label).toBe(expected);
    }
  });

  test.each(BARRIERS.map((barrier) => [barrier.label, barrier.which + 1, barrier] as const))(
    "%s, its barrier %i: some order gives other bits",
    async (_label, _number, { key, one, which }) => {
      const expected = await (whole.get(one) ?? runInOrder(device, one, ORDERS["as written"]));
      whole.set(one, Promise.resolve(expected));
      const seen: string[] = [];
      for (const [name, order] of Object.entries(ORDERS)) {
        const got = await runInOrder(device, one, order, (dispatch) =>
          cooperation(dispatch.wgsl) === key ? withoutBarrier(dispatch, which) : dispatch,
        );
        if (got.some((bits, i) => bits.join() !== expected[i]?.join())) seen.push(name);
        if (seen.length > 0) break;
      }
      expect(seen).not.toEqual([]);
    },
  );
});
