import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodeNifti } from "../../../src/data/formats/nifti-file.ts";
import { encodeNiftiLabels } from "../../../src/data/formats/nifti-new.ts";
import { readNpyHeader } from "../../../src/data/formats/npy.ts";
import type { ByteImage, Picture } from "../../../src/data/image/image.ts";
import { ShapeError } from "../../../src/errors.ts";
import { readPostprocess, writePostprocess } from "../../../src/experiment/evaluate/postprocess.ts";
import { NpyFile } from "../../../src/experiment/predict/npy-file.ts";
import { type ClassRule, PostprocessChoice, postprocessed, ruleText } from "../../../src/inference/object-rules.ts";
import { blendTiles, tilePositions, tileWeights } from "../../../src/inference/tiles.ts";
import { averageViews } from "../../../src/inference/views.ts";
import { fakeNetwork, noise, rgb } from "../../support/fake-network.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

/** Two scores a pixel that depend on that pixel alone. */
const pixelwise = async ({ data }: Picture) =>
  Float32Array.from({ length: 2 * data.length }, (_, i) => (data[i >> 1] ?? 0) / 255 - (i & 1));

/** Scores that depend on where a pixel lies in the picture it is shown in. */
const placed = async ({ width, height }: Picture) =>
  Float32Array.from({ length: width * height }, (_, i) => (i % width) + 100 * Math.floor(i / width));

describe("tiles", () => {
  test("cover every pixel, evenly, with at least the overlap asked for", () => {
    expect(tilePositions(100, 40, 0.5)).toEqual([0, 20, 40, 60]);
    expect(tilePositions(101, 40, 0.5)).toEqual([0, 15, 31, 46, 61]);
    expect(tilePositions(40, 40, 0.5)).toEqual([0]);
    expect(tilePositions(7, 40, 0.5)).toEqual([0]);
    for (const [length, tile, overlap] of [
      [1000, 64, 0],
      [513, 512, 0.5],
      [97, 3, 0.9],
      [30, 7, 0.25],
    ] as const) {
      const at = tilePositions(length, tile, overlap);
      expect([at[0], (at.at(-1) ?? 0) + tile]).toEqual([0, length]);
      for (const [i, position] of at.slice(1).entries()) {
        expect(position - (at[i] ?? 0)).toBeLessThanOrEqual(Math.max(1, Math.ceil(tile * (1 - overlap))));
        expect(position).toBeGreaterThan(at[i] ?? 0);
      }
    }
  });

  test("weights are symmetric, largest in the middle, nowhere nothing", () => {
    const weights = tileWeights(9);
    expect([...weights].reverse()).toEqual([...weights]);
    expect(weights[4]).toBe(1);
    expect(Math.min(...tileWeights(512))).toBeGreaterThan(0);
  });

  test.each([
    [37, 23, 16],
    [16, 50, 16],
    [40, 12, 16],
    [9, 9, 16],
  ])(
    "%i x %i in tiles of %i: what depends on a pixel alone is as without tiles, rows in order",
    async (width, height, side) => {
      const image = noise(width, height);
      const rows: number[] = [];
      const tiles = { size: { width: side, height: side }, overlap: 0.5 };
      await blendTiles(image, 2, tiles, pixelwise, (part) => {
        rows.push(...part);
      });
      const whole = await pixelwise(image);
      expect(rows).toHaveLength(whole.length);
      expect(Math.max(...rows.map((value, i) => Math.abs(value - (whole[i] ?? 0))))).toBeLessThan(1e-6);
    },
  );

  test("where tiles disagree one flows into the other", async () => {
    const image = noise(48, 8);
    const rows: number[] = [];
    let call = 0;
    const tiles = { size: { width: 32, height: 8 }, overlap: 0.5 };
    const score = async ({ data }: Picture) => new Float32Array(data.length).fill(call++);
    await blendTiles(image, 1, tiles, score, (part) => {
      rows.push(...part);
    });
    const line = rows.slice(0, 48);
    expect(line.slice(0, 16)).toEqual(Array(16).fill(0));
    expect(line.slice(32)).toEqual(Array(16).fill(1));
    const between = line.slice(15, 33);
    expect(between.every((value, i) => i === 0 || value >= (between[i - 1] ?? 0))).toBe(true);
    expect(Math.max(...between.slice(1).map((value, i) => value - (between[i] ?? 0)))).toBeLessThan(0.25);
  });
});

describe("views", () => {
  test("what depends on a pixel alone is as in one view; what depends on the place is even over the eight", async () => {
    const image = noise(5, 3);
    const whole = await pixelwise(image);
    const averaged = await averageViews(image, 2, pixelwise);
    expect(Math.max(...averaged.map((value, i) => Math.abs(value - (whole[i] ?? 0))))).toBeLessThan(1e-6);
    // Column 100 * row of the picture as shown: its mean over all eight views does not depend on the pixel's corner.
    const even = await averageViews(noise(4, 4), 1, placed);
    for (const value of even) expect(value).toBeCloseTo(1.5 * 101, 4);
  });

  test("a scorer sees eight different pictures", async () => {
    const seen = new Set<string>();
    await averageViews(noise(4, 4), 1, async ({ data }) => {
      seen.add(String(data));
      return new Float32Array(data.length);
    });
    expect(seen.size).toBe(8);
  });
});

describe("predictor", () => {
  test.each<[string, object, string]>([
    ["a buffer too short", { data: new Uint8Array(29) }, "data has 29 samples; a picture of 5x2 in RGB has 30"],
    ["a buffer too long", { data: new Uint8Array(31) }, "data has 31 samples"],
    ["another size", { height: 3 }, "data has 30 samples; a picture of 5x3 in RGB has 45"],
    ["half a pixel", { width: 2.5, height: 4 }, "the picture is 2.5x4; both sides must be whole numbers"],
    ["no pixel", { width: 0, data: new Uint8Array(0) }, "the picture is 0x2"],
    ["one channel", { channels: 1, data: new Uint8Array(10) }, "the picture has 1 channels"],
    ["a list", { data: Array.from({ length: 30 }, () => 0.5) }, "data must be a Uint8Array, or a Float32Array"],
    ["doubles", { data: new Float64Array(30) }, "data must be a Uint8Array, or a Float32Array"],
    ["NaN", { data: new Float32Array(30).fill(Number.NaN, 7) }, "data holds NaN at 7"],
  ])("%s is refused as an image", async (_, part, text) => {
    const predictor = fakeNetwork().of();
    const predicted = predictor.mask({ ...rgb(5, 2), ...part } as ByteImage);
    await expect(predicted).rejects.toThrow(ShapeError);
    await expect(predicted).rejects.toThrow(`Predictor.mask: ${text}`);
  });

  test("at most four sizes stay compiled, the least recently used goes first", async () => {
    const { alive, of } = fakeNetwork();
    const predictor = of();
    for (const width of [4, 5, 6, 7, 4, 8]) await predictor.mask(rgb(width, 3));
    expect([...alive].sort()).toEqual(["4x3", "6x3", "7x3", "8x3"]);
    predictor.destroy();
    expect(alive.size).toBe(0);
  });

  test("tiles of the trained size and all views agree with the plain result where each pixel decides alone", async () => {
    const image = rgb(8, 8);
    const plain = await fakeNetwork().of().mask(image);
    expect(new Set(plain.data)).toEqual(new Set([0, 1]));
    const rows: number[] = [];
    const { alive, of } = fakeNetwork();
    const views = await of({ views: true }).mask(image, (part) => rows.push(...part));
    expect(views.data).toEqual(plain.data);
    expect(rows).toHaveLength(128);
    const large = rgb(20, 12);
    const whole = large.data.filter((_, i) => i % 3 === 0).map((red) => (red > 127.5 ? 1 : 0));
    const tiles = { size: { width: 8, height: 8 }, overlap: 0.5 };
    expect((await of({ tiles, views: true }).mask(large)).data).toEqual(whole);
    expect([...alive]).toEqual(["8x8p"]);
  });
});

describe("removal of objects", () => {
  const size = { width: 10, height: 10 };
  const rule = (changes: Partial<ClassRule>): ClassRule => {
    const nothing = { class: 1, name: "a", largest: false, minPercent: 0, dice: { before: 0, after: 0 } };
    return { ...nothing, ...changes };
  };
  const labels = new Uint8Array(100);
  labels.fill(1, 0, 5); // 5 %
  labels.fill(1, 30, 33); // 3 %
  labels[77] = 1; // 1 %
  labels.fill(2, 90, 92); // another class

  test("small ones go, or all but the largest; other classes stay", () => {
    const count = (of: Uint8Array) => [1, 2].map((label) => of.filter((value) => value === label).length);
    expect(count(postprocessed(labels, size, [rule({ minPercent: 3 })]))).toEqual([8, 2]);
    expect(count(postprocessed(labels, size, [rule({ largest: true })]))).toEqual([5, 2]);
    expect(count(postprocessed(labels, size, [rule({ largest: true, minPercent: 6 })]))).toEqual([0, 2]);
    expect(count(postprocessed(labels, size, [rule({ class: 2, minPercent: 2.5 })]))).toEqual([9, 0]);
    expect(postprocessed(labels, size, [rule({})])).toBe(labels);
    expect(labels[77]).toBe(1);
  });

  test("the rule with the best mean Dice over images is chosen, none where none helps", () => {
    const truth = labels.slice();
    truth.fill(0, 30, 33);
    truth[77] = 0;
    const choice = new PostprocessChoice(["background", "a", "b"]);
    choice.add(labels, truth, size);
    choice.add(labels, truth, size);
    const [first, second] = choice.rules();
    expect(first).toMatchObject({ class: 1, name: "a", largest: true, minPercent: 0, dice: { after: 100 } });
    expect(first?.dice.before).toBeCloseTo((100 * 2 * 5) / (9 + 5), 10);
    expect(second).toMatchObject({ class: 2, largest: false, minPercent: 0, dice: { before: 100, after: 100 } });
    expect([first, second].flatMap((each) => (each ? [ruleText(each)] : []))).toEqual([
      "largest object only",
      "unchanged",
    ]);
  });

  test("specks where the label map is empty are judged; ignored pixels are not", () => {
    const specks = new PostprocessChoice(["background", "a"]);
    const speck = new Uint8Array(1000);
    speck[0] = 1;
    specks.add(speck, new Uint8Array(1000), { width: 100, height: 10 });
    expect(specks.rules()[0]).toMatchObject({ minPercent: 0.2, dice: { before: 0, after: 100 } });
    const ignored = new PostprocessChoice(["background", "a"]);
    ignored.add(Uint8Array.of(1, 0), Uint8Array.of(255, 0), { width: 2, height: 1 });
    expect(ignored.rules()[0]?.dice).toEqual({ before: 100, after: 100 });
  });

  test("rules are kept in the run folder and checked when read", () => {
    const chosenOn = { data: "d", split: "val", images: 2, checkpoint: "best.safetensors" };
    const rules = [rule({ minPercent: 0.5 })];
    expect(() => readPostprocess(scratch.path, 2)).toThrow("choose the rules on validation images first");
    writePostprocess(scratch.path, { chosenOn, rules });
    expect(readPostprocess(scratch.path, 2)).toEqual({ format: "svanet postprocess 1", chosenOn, rules });
    writePostprocess(scratch.path, { chosenOn, rules: [rule({ class: 4 })] });
    expect(() => readPostprocess(scratch.path, 2)).toThrow("more than the 2 classes");
    writePostprocess(scratch.path, { chosenOn, rules: [rule({ minPercent: -1 })] });
    expect(() => readPostprocess(scratch.path, 2)).toThrow("the file is damaged");
  });
});

describe("files", () => {
  test("npy: header and values as NumPy reads them", () => {
    const path = join(scratch.path, "a.npy");
    const file = new NpyFile(path, [2, 3, 2]);
    file.append(Float32Array.of(1, 2, 3, 4, 5));
    expect(() => file.finish()).toThrow("7 values are missing");
    file.append(Float32Array.of(6, 7, 8, 9, 10, 11, 12));
    file.finish();
    const bytes = readFileSync(path);
    const header = readNpyHeader(bytes, path);
    const facts = { type: "float32", littleEndian: true, fortran: false, shape: [2, 3, 2], dataBytes: 48 };
    expect(header).toMatchObject(facts);
    expect(header.dataOffset % 64).toBe(0);
    expect(bytes.length).toBe(header.dataOffset + 48);
    expect(bytes.readFloatLE(header.dataOffset + 44)).toBe(12);
  });

  test("a NIfTI label map without a scan: shape, affine and order of voxels", () => {
    const affine = [0.5, 0, 0, -10, 0, 0, 2, 20, 0, -0.75, 0, 30];
    const labels = Uint8Array.from({ length: 24 }, (_, i) => i);
    const volume = decodeNifti(encodeNiftiLabels(labels, [2, 3, 4], affine), "labels.nii.gz");
    expect(volume.header).toMatchObject({ shape: [2, 3, 4, 1], type: "uint8", slope: 1, orientationFrom: "sform" });
    expect(volume.header.affine).toEqual(affine);
    // x to the right, y = third axis, z = second axis against the head: the lowest slice is the last row.
    expect(volume.size).toEqual([2, 4, 3]);
    expect([...volume.slice(0).values]).toEqual([23, 22, 17, 16, 11, 10, 5, 4]);
  });
});
