import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import type { TileChoice } from "../../../src/kernels/ops/contraction/choose-tile.ts";
import { flattened, type Lowering } from "../../../src/kernels/ops/contraction/contraction.ts";
import { plainContraction } from "../../../src/kernels/ops/contraction/plain.ts";
import { rowProduct } from "../../../src/kernels/ops/contraction/text.ts";
import { LARGE, SMALL } from "../../../src/kernels/ops/contraction/tile.ts";
import { tiledPairBy } from "../../../src/kernels/ops/contraction/tiled-pair.ts";
import { tiledProductBy } from "../../../src/kernels/ops/contraction/tiled-product.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Extents, runContraction } from "../../support/contractions.ts";
import { bits, deviation } from "../../support/numbers.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice({ target: { software: false, subgroupSize: null } });
});
afterAll(() => device.close());

/** Sizes that no tile divides, with taps in padding and, for a scatter, phases of unequal numbers of taps. */
const STRIDED: Extents = {
  x: [2, 7, 9, 20],
  weight: [36, 3, 3, 20],
  y: [2, 4, 5, 36],
  stride: 2,
  padding: 1,
  dilation: 1,
};
const NARROW: Extents = { x: [1, 6, 5, 3], weight: [7, 3, 3, 3], y: [1, 6, 5, 7], stride: 1, padding: 2, dilation: 2 };

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
    const expected = await runContraction(device, kind, STRIDED, plainContraction);
    for (const choice of [AHEAD, SPLIT]) {
      const got = await runContraction(device, kind, STRIDED, tiled(choice));
      expect(deviation(got, expected), `${choice.splits} stretches`).toBeLessThan(1e-5);
    }
  });

  test("equals its definition where channels are no multiple of four", async () => {
    const expected = await runContraction(device, kind, NARROW, plainContraction);
    expect(deviation(await runContraction(device, kind, NARROW, tiled(PLAIN)), expected)).toBeLessThan(1e-5);
  });

  test("has the same bits in large tiles, whose panels are double", async () => {
    const expected = await runContraction(device, kind, STRIDED, tiled(AHEAD));
    expect(bits(await runContraction(device, kind, STRIDED, tiled(DOUBLE))).join()).toBe(bits(expected).join());
  });
});
