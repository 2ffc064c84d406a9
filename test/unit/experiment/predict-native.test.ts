import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkEvalFlags } from "../../../src/cli/commands/eval-flags.ts";
import { predictorOptions } from "../../../src/cli/predictor-flags.ts";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { UsageError } from "../../../src/errors.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import type { CheckpointFacts } from "../../../src/inference/checkpoint/facts.ts";
import { blendTiles } from "../../../src/inference/tiles.ts";
import { fakeNetwork, noise, rgb } from "../../support/fake-network.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-native-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the fake network sees where nothing is stretched. */
const bright = (width: number, height: number) => noise(width, height).data.map((value) => (value > 127 ? 1 : 0));

test.each([
  [8, 8],
  [13, 21],
  [8, 30],
  [5, 3],
  [40, 6],
])(
  "a network of 8x8 patches predicts %i x %i by unstretched tiles, mirrored where it is smaller",
  async (width, height) => {
    const network = fakeNetwork();
    const predictor = network.native();
    const { data } = await predictor.mask(rgb(width, height));
    expect(data).toEqual(Uint8Array.from(bright(width, height)));
    expect([...network.alive]).toEqual(["8x8p"]);
    predictor.destroy();
  },
);

test("the same picture is stretched by a network that was trained on whole images", async () => {
  const { data } = await fakeNetwork().of().mask(rgb(13, 21));
  expect(data).not.toEqual(Uint8Array.from(bright(13, 21)));
});

test("probabilities of a picture smaller than a patch are those of its own pixels", async () => {
  const rows: number[] = [];
  await fakeNetwork()
    .native()
    .mask(rgb(5, 3), (part) => void rows.push(...part));
  expect(rows).toEqual([...bright(5, 3)].flatMap((label) => (label === 1 ? [0, 1] : [1, 0])));
});

test("tiles of another size would change the resolution: refused; the same size and another overlap are not", () => {
  const tiles = (side: number, overlap = 0.5) => ({ tiles: { size: { width: side, height: side }, overlap } });
  expect(() => fakeNetwork().native(tiles(16))).toThrow(
    new UsageError(
      "tiles of 16x16: this network was trained on patches of 8x8 at the images' own resolution, which its tiles keep; " +
        "leave the size out (--tile)",
    ),
  );
  expect(() => fakeNetwork().native(tiles(8, 0.75))).not.toThrow();
});

test("an image that does not fit is not told to take other tiles", () => {
  const image = { width: 40_000, height: 9, bytes: 2 ** 27 };
  expect(() => fakeNetwork().native().plan(image, "a.png", false)).toThrow(
    /^a\.png: .* in tiles of 8x8 \(--tile\): .*; this network's tiles have the size of its patches and no other; use another/,
  );
});

test("--overlap holds for such a network without --tile, and --at trained has no place", () => {
  const facts = { config: { width: 8, height: 8, classes: 2 }, resolution: "native" } as unknown as CheckpointFacts;
  expect(predictorOptions("a.safetensors", facts, { overlap: 0.25 })).toEqual({
    tiles: { size: { width: 8, height: 8 }, overlap: 0.25 },
  });
  const whole = { config: facts.config } as unknown as CheckpointFacts;
  expect(predictorOptions("a.safetensors", whole, { overlap: 0.25 })).toEqual({});
  const flags = { split: "val", overlays: 0, roc: true, at: "trained" } as const;
  expect(() => checkEvalFlags(flags, facts)).toThrow(/was trained on patches at the images' own resolution/);
  expect(() => checkEvalFlags({ ...flags, at: "native" }, facts)).not.toThrow();
  expect(() => checkEvalFlags(flags, whole)).not.toThrow();
});

test("two tiles that disagree are blended by Gaussian weights, as computed by hand", async () => {
  // Tiles of 4 at 0 and 2; weights exp(-((i + 0.5) / 4 - 0.5)^2 / (2 / 64)): 0.011109, 0.606531, 0.606531, 0.011109.
  const rows: number[] = [];
  let call = 0;
  const score = async () => new Float32Array(4).fill(call++);
  const tiles = { size: { width: 4, height: 1 }, overlap: 0.5 };
  await blendTiles(noise(6, 1), 1, tiles, score, (part) => void rows.push(...part));
  const mixed = 0.011109 / (0.011109 + 0.606531);
  for (const [i, value] of [0, 0, mixed, 1 - mixed, 1, 1].entries()) expect(rows[i]).toBeCloseTo(value, 5);
});

test("the loss of a validation by tiles is the cross-entropy of the probabilities", async () => {
  const [image, mask] = [join(folder, "a.png"), join(folder, "a-mask.png")];
  await writePng(image, filled({ width: 8, height: 8 }, 3, 0));
  const labels = filled({ width: 8, height: 8 }, 1, 0);
  labels.data[5] = 1;
  labels.data[6] = 255;
  await writePng(mask, labels);
  const sample = { stem: "a", image, mask, width: 8, height: 8, labels: [] };
  const predictor = {
    plan: () => undefined,
    mask: async (_: unknown, sink?: (rows: Float32Array) => void) => {
      for (let row = 0; row < 8; row++)
        sink?.(Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 0.75 : 0.25)));
      return filled({ width: 8, height: 8 }, 1, 0);
    },
    find: () => Promise.reject(new Error("nobody asks for objects")),
  };
  const result = await evaluateNative({ samples: [sample], classes: 2, predictor, loss: true });
  expect(result.loss).toBeCloseTo(-(62 * Math.log(0.75) + Math.log(0.25)) / 63, 6);
  expect(result.roc).toBeUndefined();
  expect((await evaluateNative({ samples: [sample], classes: 2, predictor })).loss).toBeUndefined();
});
