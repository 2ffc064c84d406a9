import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { drawnPicture } from "../../../../bench/web/picture.ts";
import type { PageTimes } from "../../../../bench/web/setting.ts";
import { type Sizes, sizesOf } from "../../../../bench/web/site.ts";
import { agreementOf, refusalOf, rowOf, type Turn, tableText } from "../../../../bench/web/table.ts";

/** 2,000 pixels, of which the first `ones` are of class 1. */
const maskOf = (ones: number) => Array.from({ length: 2000 }, (_, i) => (i < ones ? 1 : 0));

const times = (script: number, later: readonly number[] = [1], ones = 900): PageTimes => ({
  ...{ script, ready: 10 * script, first: 100 * script, later, mask: maskOf(ones) },
});

const turn = (svanet: PageTimes, theirs: PageTimes): Turn => ({ svanet, "onnxruntime-web": theirs });

const SIZES: Sizes = { code: 700_000, codeGzipped: 140_000, weights: 2_000_000, weightsGzipped: 1_900_000 };

test("engines may differ on one pixel of a thousand, not on more", () => {
  const equal = turn(times(1), times(1, [1], 902));
  expect(agreementOf(equal)).toBe(0.999);
  expect(refusalOf([equal])).toBeNull();
  expect(refusalOf([equal, turn(times(1), times(1, [1], 903))])).toBe(
    "the engines agree on 99.85 % of pixels only, of at least 99.9 %",
  );
});

test("a mask of one class proves nothing", () => {
  expect(refusalOf([turn(times(1, [1], 0), times(1, [1], 0))])).toMatch(/^all pixels are of one class/);
});

test("a row has the medians over turns, and the median of the ratios of each turn", () => {
  const turns = [
    turn(times(1, [2, 4, 90]), times(2, [4])),
    turn(times(2, [6]), times(8, [60])),
    turn(times(3, [8]), times(9, [8], 899)),
  ];
  const row = rowOf("unet", turns, { svanet: SIZES, "onnxruntime-web": SIZES });
  expect(row.engines.svanet).toEqual({ script: 2, ready: 20, first: 200, later: 6, ...SIZES });
  expect(row.engines["onnxruntime-web"]).toMatchObject({ script: 8, first: 800, later: 8 });
  expect(row.ratios).toEqual({ script: 3, ready: 3, first: 3, later: 1 });
  expect(row.agreement).toBe(0.9995);
});

test("the table has a line for each engine, and ratios and agreement behind the other's", () => {
  const sizes = { svanet: SIZES, "onnxruntime-web": { ...SIZES, code: 27_000_000, codeGzipped: 6_000_000 } };
  const text = tableText([rowOf("unet", [turn(times(1.5, [20]), times(3, [50]))], sizes)]);
  const [titles, , ours, theirs, ...legend] = text.split("\n");
  expect(titles?.split(/ {2,}/)).toEqual([
    ...["network", "engine", "script, ms", "on the GPU, ms", "first mask, ms", "ratio", "later, ms", "ratio"],
    ...["code, kB", "gzipped", "weights, kB", "gzipped", "equal pixels"],
  ]);
  expect(ours?.split(/ +/)).toEqual([
    "unet",
    "svanet",
    "1.50",
    "15.0",
    "150",
    "20.0",
    "700.0",
    "140.0",
    "2000.0",
    "1900.0",
  ]);
  expect(theirs?.split(/ +/)).toEqual([
    ...["unet", "onnxruntime-web", "3.00", "30.0", "300", "2.00x", "50.0", "2.50x"],
    ...["27000.0", "6000.0", "2000.0", "1900.0", "100.00", "%"],
  ]);
  expect(legend.join(" ")).toContain("how many times faster svanet is");
});

test("sizes count the code of an engine's own page, and the weights of one network", () => {
  const bytes = (length: number) => new Uint8Array(length);
  const files = new Map([
    ["svanet.js", bytes(1000)],
    ["onnxruntime-web.js", bytes(10)],
    ["ort.webgpu.bundle.min.mjs", bytes(200)],
    ["ort-wasm-simd-threaded.asyncify.wasm", bytes(4000)],
    ["unet.safetensors", bytes(70)],
    ["unet.onnx", bytes(80)],
    ["svanet.onnx", bytes(90)],
    ["picture.bin", bytes(5)],
  ]);
  const zipped = (...lengths: readonly number[]) =>
    lengths.reduce((sum, length) => sum + gzipSync(bytes(length)).length, 0);
  expect(sizesOf(files, "svanet", "unet")).toEqual({
    ...{ code: 1000, codeGzipped: zipped(1000), weights: 70, weightsGzipped: zipped(70) },
  });
  expect(sizesOf(files, "onnxruntime-web", "unet")).toEqual({
    ...{ code: 4210, codeGzipped: zipped(10, 200, 4000), weights: 80, weightsGzipped: zipped(80) },
  });
  expect(() => sizesOf(files, "svanet", "svanet")).toThrow("the site has no svanet.safetensors");
});

test("the picture is of the networks' size, and of many values", () => {
  const picture = drawnPicture();
  expect(picture).toHaveLength(3 * 128 * 128);
  expect(new Set(picture).size).toBeGreaterThan(200);
});
