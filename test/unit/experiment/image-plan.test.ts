import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { pictureFacts } from "../../../src/data/formats/picture.ts";
import { OutOfMemoryError } from "../../../src/errors.ts";
import { planText } from "../../../src/inference/image-plan.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Network } from "../../../src/training/network.ts";
import { fakeNetwork, noise, rgb } from "../../support/fake-network.ts";

describe("large images", () => {
  test("an image that does not fit is told in one sentence with tiles that do, and no advice of training", async () => {
    const refused = fakeNetwork().of().mask(rgb(200, 100));
    await expect(refused).rejects.toBeInstanceOf(OutOfMemoryError);
    await expect(refused).rejects.toThrow(
      /^the image: 200x100 pixels \(0\.0 megapixels\) are too many at once: the plan needs more; predict it in pieces, from --tile 8 \(as trained, 1\d\d\d runs\) to --tile 64 \(18 runs\)$/,
    );
    const tiles = { size: { width: 160, height: 160 }, overlap: 0 };
    await expect(fakeNetwork().of({ tiles }).mask(rgb(200, 200))).rejects.toThrow(
      /^the image: 200x200 .* are too many in tiles of 160x160 \(--tile\): the plan needs more; .* to --tile 64 \(16 runs\)$/,
    );
  });

  test("what an image takes is known from its size, before anything is compiled", () => {
    const { alive, of } = fakeNetwork();
    const image = { width: 200, height: 100, bytes: 60_000 };
    const tiles = { size: { width: 64, height: 64 }, overlap: 0.5 };
    expect(of({ tiles }).plan(image, "a.png", false)).toEqual({
      runs: 18,
      tile: tiles.size,
      host: 60_000 + 8 * 20_000 + 4 * 64 * 200 * 3,
      gpu: 64 * 64,
    });
    expect(() => of().plan(image, "a.png", false)).toThrow(/^a\.png: 200x100 pixels .*--tile 64 \(18 runs\)$/);
    // 64 MiB are there, whatever the network takes: rows of tiles of 64 fit, the eight views of all of it do not.
    const wide = { width: 100, height: 40_000, bytes: 12_000_000 };
    expect(() => of({ views: true }).plan(wide, "a.png", false)).toThrow(
      /^a\.png: 100x40000 pixels \(4\.0 megapixels\) are too many at once: it needs 118 MiB of memory, and there are 64 MiB; predict/,
    );
    expect(alive.size).toBe(0);
  });

  test("an image of which no tile fits is not told to try one", () => {
    const image = { width: 200, height: 100, bytes: 2 ** 27 };
    const none = new Predictor(
      {
        config: { width: 8, height: 8, classes: 2 },
        device: { room: { gpu: null, host: null, shared: false } },
        requireInference: () => {
          throw new OutOfMemoryError("nothing fits");
        },
      } as unknown as Network,
      { facts: { mean: [0], std: [1] } },
    );
    expect(() => none.plan(image, "a.png", false)).toThrow(
      /: nothing fits; no tiles of it fit either; use another --adapter/,
    );
  });
});

describe("what is told before an image is decoded", () => {
  const png = (width: number, height: number) =>
    sharp(noise(width, height).data, { raw: { width, height, channels: 1 } });

  test("comes from the header: the samples may be missing", async () => {
    const whole = await png(300, 200).png().toBuffer();
    const facts = await pictureFacts(whole.subarray(0, whole.length / 2), "a.png");
    expect(facts).toEqual({ width: 300, height: 200, bytes: 3 * 300 * 200 });
  });

  test("counts deep samples as the floats they become", async () => {
    const deep = await png(30, 20).toColourspace("grey16").png().toBuffer();
    expect(await pictureFacts(deep, "a.png")).toEqual({ width: 30, height: 20, bytes: 12 * 30 * 20 });
  });

  test.each([
    ["jpeg", 3, 30, 20],
    ["jpeg", 6, 20, 30],
    ["tiff", 8, 20, 30],
  ] as const)(
    "goes by the sides as they are shown (%s, orientation %i)",
    async (format, orientation, width, height) => {
      const turned = await png(30, 20).withMetadata({ orientation }).toFormat(format).toBuffer();
      expect(await pictureFacts(turned, `a.${format}`)).toMatchObject({ width, height });
    },
  );

  test("is said in one line", () => {
    const plan = { runs: 16, tile: { width: 8448, height: 8448 }, host: 3 * 2 ** 30, gpu: 2 ** 28 };
    expect(planText("a.png", { width: 17000, height: 17000 }, plan)).toBe(
      "a.png: 17000x17000, 289 megapixels: 16 runs on 8448x8448 pixels, about 3.0 GiB of memory and 256 MiB on the GPU",
    );
  });
});
