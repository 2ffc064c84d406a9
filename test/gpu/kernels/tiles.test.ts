import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Program } from "../../../src/kernels/compile/program.ts";
import { StateStore } from "../../../src/kernels/compile/state.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { TileChoice } from "../../../src/kernels/ops/contraction/choose-tile.ts";
import {
  allTaps,
  type Contraction,
  flattened,
  type Lowering,
} from "../../../src/kernels/ops/contraction/contraction.ts";
import { plainContraction } from "../../../src/kernels/ops/contraction/plain.ts";
import { rowProduct } from "../../../src/kernels/ops/contraction/text.ts";
import { LARGE, SMALL } from "../../../src/kernels/ops/contraction/tile.ts";
import { tiledPairBy } from "../../../src/kernels/ops/contraction/tiled-pair.ts";
import { tiledProductBy } from "../../../src/kernels/ops/contraction/tiled-product.ts";
import { FREE } from "../../../src/kernels/trace/cost.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../../src/kernels/trace/op.ts";
import { type Shape, sizeOf } from "../../../src/kernels/trace/shape.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { bits, deviation, noise } from "../../support/numbers.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice({ target: { software: false, subgroupSize: null } });
});
afterAll(() => device.close());

type Kind = Contraction["kind"];

/** Sizes that no tile divides, with taps in padding and, for a scatter, phases of unequal numbers of taps. */
interface Extents {
  readonly x: Shape;
  readonly weight: Shape;
  readonly y: Shape;
  readonly stride: number;
  readonly dilation: number;
}
const STRIDED: Extents = { x: [2, 7, 9, 20], weight: [36, 3, 3, 20], y: [2, 4, 5, 36], stride: 2, dilation: 1 };
const NARROW: Extents = { x: [1, 6, 5, 3], weight: [7, 3, 3, 3], y: [1, 6, 5, 7], stride: 1, dilation: 2 };

/** The result of a kind of contraction, with scale, bias, residual and activation where it has an epilogue. */
async function run(kind: Kind, extents: Extents, lowering: Lowering): Promise<Float32Array> {
  const { x, weight, y, stride, dilation } = extents;
  const shapes = { x, weight, y };
  const made = ({ gather: "y", scatter: "x", pair: "weight" } as const)[kind];
  const channels = shapes[made][3] ?? 1;
  const rest = kind === "pair" ? {} : { scale: [channels], bias: [channels], residual: shapes[made] };
  const { [made]: out, ...operands } = shapes;
  const inputs: Readonly<Record<string, Shape>> = { ...operands, ...rest };
  const op = defineOp<unknown>()({
    name: "tile",
    inputs: Object.keys(inputs),
    shape: () => out,
    lower: ({ inputs: given, out: result, target, scratch }) => {
      const { scale, bias, residual, ...two } = { ...given, [made]: result };
      const epilogue = scale && bias && residual ? { scale, bias, residual, activation: "silu" as const } : {};
      const geometry = { stride, padding: dilation, dilation, groups: 1, taps: allTaps(3, 3) };
      const operandsOf = two as unknown as Pick<Contraction, "x" | "weight" | "y">;
      return [...lowering({ kind, ...operandsOf, ...geometry, epilogue, target, scratch })];
    },
    macs: NO_MACS,
    cost: FREE,
    derivative: FIRST_ORDER,
  });
  const graph = new Graph();
  const values = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, graph.input(name, shape)]));
  const result = graph.apply(op, values, {});
  const program = await Program.compile(device, graph, { store: new StateStore(device), keep: [result] });
  try {
    program.poison();
    for (const [i, [name, shape]] of Object.entries(inputs).entries()) program.write(name, noise(sizeOf(shape), i + 1));
    program.run();
    return await program.read(result);
  } finally {
    program.destroy();
  }
}

const tiled =
  (choice: TileChoice): Lowering =>
  (given) => {
    const contraction = flattened(given);
    return contraction.kind === "pair"
      ? tiledPairBy(contraction, choice)
      : tiledProductBy(contraction, rowProduct(contraction), choice);
  };

const AHEAD: TileChoice = { form: SMALL, splits: 1 };
const DOUBLE: TileChoice = { form: LARGE, splits: 1 };
/** So many that the last stretch of some phases has no turn left. */
const SPLIT: TileChoice = { form: SMALL, splits: 7 };
const PLAIN: TileChoice = { form: { ...SMALL, schedule: "plain" }, splits: 1 };

describe.each(["gather", "scatter", "pair"] as const)("a %s by tiles", (kind) => {
  test("equals its definition, in one stretch and in several that are added", async () => {
    const expected = await run(kind, STRIDED, plainContraction);
    for (const choice of [AHEAD, SPLIT]) {
      const got = await run(kind, STRIDED, tiled(choice));
      expect(deviation(got, expected), `${choice.splits} stretches`).toBeLessThan(1e-5);
    }
  });

  test("equals its definition where channels are no multiple of four", async () => {
    const expected = await run(kind, NARROW, plainContraction);
    expect(deviation(await run(kind, NARROW, tiled(PLAIN)), expected)).toBeLessThan(1e-5);
  });

  test("has the same bits in large tiles, whose panels are double", async () => {
    const expected = await run(kind, STRIDED, tiled(AHEAD));
    expect(bits(await run(kind, STRIDED, tiled(DOUBLE))).join()).toBe(bits(expected).join());
  });
});
