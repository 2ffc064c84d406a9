import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { luma } from "../../../src/data/image/colour.ts";
import { SYNTH_KINDS, synthKind } from "../../../src/data/synth/kinds.ts";
import { alongStroke, blob } from "../../../src/data/synth/outline.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { random } from "../../../src/kernels/random.ts";
import { imageShare } from "../../../src/metrics/strata.ts";

const SIDE = 96;
const STRATA = { ultra: [0, 1], small: [1, 10], large: [10, 50] } as const;

describe.each(SYNTH_KINDS.map((kind) => [kind.kind, kind] as const))("%s", (_, { picture, classes }) => {
  test("hits the stratum asked for, with known labels only", () => {
    for (const [stratum, [low, high]] of Object.entries(STRATA)) {
      const seen = new Set<number>();
      for (let index = 0; index < 4; index++) {
        const { image, mask } = picture(1, index, SIDE, stratum as keyof typeof STRATA);
        expect([image.width, image.height, image.data.length]).toEqual([SIDE, SIDE, 3 * SIDE * SIDE]);
        const share = imageShare(mask.data, SIDE, SIDE, "pixels");
        expect(share, `${stratum} ${index}`).toBeGreaterThan(low);
        expect(share, `${stratum} ${index}`).toBeLessThan(high);
        for (const label of mask.data) seen.add(label);
      }
      expect(Math.max(...seen)).toBeLessThan(classes.length);
    }
  });

  test("is a pure function of seed and index", () => {
    const digest = (seed: number, index: number) => {
      const { image, mask } = picture(seed, index, 64);
      return createHash("sha256").update(image.data).update(mask.data).digest("hex");
    };
    expect(digest(1, 4)).toBe(digest(1, 4));
    expect(new Set([digest(1, 4), digest(2, 4), digest(1, 5)]).size).toBe(3);
  });

  test("shows its objects where the mask has them", () => {
    // The object differs from a ring around it: a mask that is shifted, mirrored or of another picture does not.
    const contrast = (shift: number) => {
      let sum = 0;
      for (let index = 0; index < 4; index++) {
        const { image, mask } = picture(2, index, SIDE, "small");
        const gray = luma(image);
        const inside: number[] = [];
        const outside: number[] = [];
        gray.forEach((value, pixel) => {
          const at = (pixel + shift * SIDE + shift) % gray.length;
          if ((mask.data[at] ?? 0) > 0) inside.push(value);
          else if ([-4, 4, -4 * SIDE, 4 * SIDE].some((step) => (mask.data[at + step] ?? 0) > 0)) outside.push(value);
        });
        const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
        sum += mean(inside) - mean(outside);
      }
      return Math.abs(sum / 4);
    };
    expect(contrast(0)).toBeGreaterThan(8);
    expect(contrast(0)).toBeGreaterThan(1.5 * contrast(33));
  });
});

describe("outlines", () => {
  test("of blobs enclose exactly the area they are asked for", () => {
    for (let k = 0; k < 5; k++) {
      const shape = { harmonics: [0.2, 0.15, 0.1], aspect: 1.5, angle: 0.7 };
      const form = blob(random(1, "blob", k), 100, 100, 40, shape);
      let [pixels, ratios] = [0, 0];
      for (let at = 0; at < 40_000; at++) {
        const [x, y] = [at % 200, Math.floor(at / 200)];
        if (form.distance(x, y) <= 0) pixels++;
        if (form.ratio(x, y) <= 1) ratios++;
      }
      expect(Math.abs(pixels / (Math.PI * 1600) - 1)).toBeLessThan(0.01);
      expect(ratios).toBe(pixels);
    }
  });

  test("of strokes lie half a width from the middle line", () => {
    const pixels = new Set<number>();
    const points = [
      { x: 10, y: 20, half: 3.5 },
      { x: 60, y: 20, half: 3.5 },
    ];
    alongStroke(100, points, 0, (pixel, { off, half }) => {
      expect(off).toBeLessThanOrEqual(half);
      pixels.add(pixel);
    });
    // 51 columns of 7, and a half disc at both ends.
    const disc = [...Array(81).keys()].filter((k) => Math.hypot((k % 9) - 4, Math.floor(k / 9) - 4) <= 3.5).length;
    expect(pixels.size).toBe(50 * 7 + disc);
  });
});

describe("a written set", () => {
  test("has three splits, the same pictures whatever their counts, and nothing to complain of", async () => {
    const folder = await mkdtemp(join(tmpdir(), "svanet-synth-"));
    const out = join(folder, "ct");
    await writeSynth(synthKind("ct"), { out, train: 3, val: 1, test: 1, size: 64, seed: 1 });
    expect((await readdir(out)).sort()).toEqual(["dataset.yaml", "mask", "test", "train", "val"]);
    const { findings, images, classes } = await verifyDataset(await openDataset(out), {
      indexFile: join(folder, "index.json"),
      workers: 0,
    });
    expect(images).toEqual({ train: 3, val: 1, test: 1 });
    expect(classes.map(({ name }) => name)).toEqual(["background", "liver", "tumour"]);
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
    await rm(folder, { recursive: true });
  });

  test("is refused for kinds and counts there are none of", async () => {
    expect(() => synthKind("cell")).toThrow('there is no kind of pictures "cell". Did you mean cells?');
    const options = { out: "unused", train: 1, val: 1, test: -1, size: 64, seed: 1 };
    await expect(writeSynth(synthKind("polyps"), options)).rejects.toThrow("polyps: -1 test pictures");
  });
});
