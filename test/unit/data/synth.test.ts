import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { otsuDice, otsuThreshold } from "../../../src/data/dataset/otsu.ts";
import { gaussianBlur } from "../../../src/data/image/box-blur.ts";
import { luma } from "../../../src/data/image/colour.ts";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { cellPicture, cellsKind } from "../../../src/data/synth/cells.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";

/** Pixel counts of the 8-connected foreground parts of a mask. */
function parts({ width, height, data }: ByteImage): number[] {
  const open = data.slice();
  const sizes: number[] = [];
  for (let start = 0; start < open.length; start++) {
    if (open[start] !== 1) continue;
    open[start] = 0;
    const stack = [start];
    for (let at = 0; at < stack.length; at++) {
      const [x, y] = [(stack[at] ?? 0) % width, Math.floor((stack[at] ?? 0) / width)];
      for (let k = 0; k < 9; k++) {
        const [nx, ny] = [x + (k % 3) - 1, y + Math.floor(k / 3) - 1];
        const next = ny * width + nx;
        if (nx < 0 || nx >= width || ny < 0 || ny >= height || open[next] !== 1) continue;
        open[next] = 0;
        stack.push(next);
      }
    }
    sizes.push(stack.length);
  }
  return sizes;
}

const digest = (seed: number, index: number, size: number) => {
  const { image, mask } = cellPicture(seed, index, size);
  return createHash("sha256").update(image.data).update(mask.data).digest("hex");
};

describe("pictures of cells", () => {
  const pictures = Array.from({ length: 24 }, (_, index) => cellPicture(3, index, 128));

  test("are a pure function of seed and index", () => {
    expect(digest(1, 4, 64)).toBe(digest(1, 4, 64));
    expect(new Set([digest(1, 4, 64), digest(2, 4, 64), digest(1, 5, 64)]).size).toBe(3);
  });

  test("show objects in every picture, most under 1 % of its area", () => {
    const objects = pictures.flatMap(({ mask }) => parts(mask));
    for (const { mask } of pictures) expect(parts(mask).length).toBeGreaterThanOrEqual(3);
    const shares = objects.map((pixels) => pixels / 128 ** 2);
    expect(shares.filter((share) => share < 0.01).length / shares.length).toBeGreaterThan(0.85);
    expect(Math.max(...shares)).toBeLessThan(0.1);
  });

  test("hold masks of 0 and 1 at every size", () => {
    for (const size of [48, 200]) {
      const { image, mask } = cellPicture(1, 0, size);
      expect([image.width, image.data.length, mask.data.length]).toEqual([size, size * size * 3, size * size]);
      expect([...new Set(mask.data)].sort()).toEqual([0, 1]);
    }
  });

  test("stand out from their surroundings, though not from the whole picture", () => {
    let both = 0;
    let either = 0;
    for (const { image, mask } of pictures) {
      const gray: ByteImage = { ...image, channels: 1, data: luma(image) };
      const fine = gaussianBlur(gray, 0.8).data;
      const broad = gaussianBlur(gray, 9).data;
      mask.data.forEach((truth, pixel) => {
        const predicted = (fine[pixel] ?? 0) - (broad[pixel] ?? 0) > 22 ? 1 : 0;
        both += predicted * truth;
        either += predicted + truth;
      });
    }
    expect((2 * both) / either).toBeGreaterThan(0.75);
  });
});

describe("a dataset of cells", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "svanet-cells-"));
    await writeSynth(cellsKind, { out: join(folder, "cells"), train: 6, val: 30, size: 128, seed: 1 });
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true }));

  test("passes the check, named and described", async () => {
    const dataset = await openDataset(join(folder, "cells"));
    const checked = await checkDataset(dataset, ["train", "val"], { indexFile: join(folder, "index.json") });
    expect(checked).toMatchObject({ name: "Synthetic cells", classes: ["background", "cell"], classSource: "yaml" });
    expect([checked.splits.train?.length, checked.splits.val?.length]).toEqual([6, 30]);
    expect(checked.warnings).toEqual([]);
  });

  test("needs more than a threshold: Otsu's foreground Dice stays below 0.6", async () => {
    const dice = await otsuDice((await openDataset(join(folder, "cells"))).splits.val ?? []);
    expect(dice).toBeGreaterThan(0.1);
    expect(dice).toBeLessThan(0.6);
  });

  test("is never written over another, nor with sizes that make no picture", async () => {
    const options = { out: join(folder, "cells"), train: 1, val: 1, size: 64, seed: 1 };
    await expect(writeSynth(cellsKind, options)).rejects.toThrow(
      /cells: already holds 4 entries \(.*\); name a new folder/,
    );
    await expect(writeSynth(cellsKind, { ...options, size: 20 })).rejects.toThrow(
      "size 20 is no whole number from 48 to 2048",
    );
    await expect(writeSynth(cellsKind, { ...options, val: 0 })).rejects.toThrow("1 training and 0 validation pictures");
  });
});

describe("Otsu's threshold", () => {
  test("lies between two groups of values", () => {
    const threshold = otsuThreshold(Uint8Array.of(10, 11, 12, 10, 200, 201, 199));
    expect(threshold).toBeGreaterThanOrEqual(12);
    expect(threshold).toBeLessThan(199);
  });

  test("gives one value no foreground", () => {
    expect(otsuThreshold(Uint8Array.of(7, 7, 7))).toBe(255);
  });
});
