import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMask, writePng } from "../../src/data/decode.ts";
import { filled } from "../../src/data/image/image.ts";
import { writePostprocess } from "../../src/experiment/evaluate/postprocess.ts";
import { runPaths } from "../../src/experiment/run/run-folder.ts";
import { resolveConfig, writeConfig } from "../../src/experiment/settings/config.ts";
import { random } from "../../src/kernels/random.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { saveTiny } from "../support/checkpoint.ts";
import { rgb } from "../support/fake-network.ts";
import { svanet, svanetJson } from "../support/svanet.ts";
import { scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
const at = (...names: string[]) => join(scratch.path, ...names);
const [run, data] = [at("run"), at("set")];
const CLASSES = 3;
/** Two pictures and a volume of three slices; one more picture cannot be read. */
const SIZES = { one: [70, 45], two: [64, 64], vol_0000: [48, 40], vol_0001: [48, 40], vol_0002: [48, 40] } as const;
const STEMS = Object.keys(SIZES) as (keyof typeof SIZES)[];
const QUICK = ["--overlays", "0", "--no-extended", "--no-roc"];

/** Blocks of labels, some of them ignored. */
function maskOf(width: number, height: number, seed: number) {
  const walk = random(9, "eval masks", seed);
  const mask = filled({ width, height }, 1, 0);
  for (const label of [1, 2, 1, 2, 255]) {
    const [left, top] = [walk.integer(width - 12), walk.integer(height - 12)];
    for (let y = top; y < top + 12; y++) mask.data.fill(label, y * width + left, y * width + left + 12);
  }
  return mask;
}

/** A set of noise with masks, by name and size; its volumes are called `vol`. */
async function writeSet(folder: string, sizes: Readonly<Record<string, readonly [width: number, height: number]>>) {
  for (const part of ["val", "mask"]) mkdirSync(join(folder, part), { recursive: true });
  for (const [i, [stem, [width, height]]] of Object.entries(sizes).entries()) {
    await writePng(join(folder, "val", `${stem}.png`), rgb(width, height));
    await writePng(join(folder, "mask", `${stem}.png`), maskOf(width, height, i));
  }
  writeFileSync(join(folder, "dataset.yaml"), "classes: [rest, a, b]\nvolumes:\n  vol: {spacing: [0.5, 0.8, 3]}\n");
}

beforeAll(async () => {
  mkdirSync(join(run, "checkpoints"), { recursive: true });
  await writeSet(data, SIZES);
  const device = await openDevice();
  await saveTiny(device, runPaths(run).best);
  device.close();
  writeConfig(runPaths(run).config, resolveConfig({ data, out: run, recipe: "paper" }));
});
afterAll(() => scratch.remove());

/** What is counted of mask files by their definitions: pixels of each class in both, predicted and labelled, by image. */
async function scoresOf(folder: string, masks: string, stems: readonly string[]) {
  const images: { readonly intersection: number; readonly predicted: number; readonly labelled: number }[][] = [];
  for (const stem of stems) {
    const [prediction, truth] = [
      await readMask(join(masks, `${stem}.png`)),
      await readMask(join(folder, "mask", `${stem}.png`)),
    ];
    expect([prediction.width, prediction.height]).toEqual([truth.width, truth.height]);
    const seen = [...truth.data.keys()].filter((pixel) => truth.data[pixel] !== 255);
    const count = (wanted: (pixel: number) => boolean) => seen.filter(wanted).length;
    const classes = Array.from({ length: CLASSES }, (_, label) => ({
      intersection: count((pixel) => truth.data[pixel] === label && prediction.data[pixel] === label),
      predicted: count((pixel) => prediction.data[pixel] === label),
      labelled: count((pixel) => truth.data[pixel] === label),
    }));
    images.push(classes);
  }
  const total = (label: number, key: "intersection" | "predicted" | "labelled") =>
    images.reduce((sum, classes) => sum + (classes[label]?.[key] ?? 0), 0);
  const pooled = Array.from({ length: CLASSES }, (_, label) => ({
    intersection: total(label, "intersection"),
    predicted: total(label, "predicted"),
    labelled: total(label, "labelled"),
  }));
  const dice = ({ intersection, predicted, labelled }: (typeof pooled)[number]) =>
    (200 * intersection) / (predicted + labelled + 1e-7);
  const [, ...foreground] = pooled.map(dice);
  return { pooled, foregroundDice: foreground.reduce((sum, value) => sum + value, 0) / foreground.length };
}

interface Report {
  readonly scoredAt: string;
  readonly failures: readonly string[];
  readonly strata: { readonly all: { readonly foregroundDice: number; readonly classes: readonly object[] } };
}

async function expectSame(report: Report, masks: string, folder = data, stems: readonly string[] = STEMS) {
  const { pooled, foregroundDice } = await scoresOf(folder, masks, stems);
  expect(report.strata.all.classes).toMatchObject(pooled);
  expect(pooled.slice(1).some(({ intersection }) => intersection > 0)).toBe(true);
  expect(report.strata.all.foregroundDice).toBeCloseTo(foregroundDice, 11);
}

const images = STEMS.map((stem) => join(data, "val", `${stem}.png`));

test("scores what predict writes, to the last digit; a picture that cannot be read is left out and listed", async () => {
  const broken = join(data, "val", "broken.png");
  writeFileSync(broken, readFileSync(join(data, "val", "two.png")).subarray(0, 900));
  await writePng(join(data, "mask", "broken.png"), maskOf(64, 64, 9));
  const { status, stdout, stderr } = svanet("eval", run, "--resamples", "20", "--overlays", "0");
  expect(status, stderr).toBe(1);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(10);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[0]).toBe("val: 5 images scored at their own size (48x40 to 64x64); 1 left out");
  expect(lines.at(-1)).toMatch(/^1 volume, each one case: 3-D foreground Dice \d+\.\d\d %, HD95 \d+\.\d\d mm$/);
  expect(stderr).toContain("the paper's recipe trained this run: --recipe paper scores as its tables do");
  const last = stderr.trimEnd().split("\n").slice(-2);
  expect(last[0]).toBe("1 of 6 images could not be scored and are left out of everything above:");
  expect(last[1]).toContain(`${broken}: the image is damaged`);

  const report = JSON.parse(readFileSync(join(run, "eval", "eval.json"), "utf8"));
  expect(report).toMatchObject({ data, scoredAt: "native", failures: [expect.stringContaining(broken)] });
  expect(svanet("predict", run, ...images, "--out", at("plain")).status).toBe(0);
  await expectSame(report, at("plain"));
  const volume = await scoresOf(data, at("plain"), STEMS.slice(2));
  const [head = "", row = ""] = readFileSync(join(run, "eval", "cases.csv"), "utf8").split("\n");
  const cell = (name: string) => row.split(",")[head.split(",").indexOf(name)];
  expect(["name", "slices", "spacingColumn", "spacingRow", "spacingSlice", "scoredAt"].map(cell)).toEqual([
    "vol",
    "3",
    "0.5",
    "0.8",
    "3",
    "native",
  ]);
  expect(Number(cell("foregroundDice"))).toBeCloseTo(volume.foregroundDice, 11);
  expect(Number(cell("hausdorff95_1"))).toBeGreaterThan(0);
  rmSync(broken);
});

test("with predict's tiles, views and rules scores are of predict's masks; borders may be left out", async () => {
  const stems = ["one", "vol_0000"];
  const [few, seen] = [at("few"), at("few", "val")];
  await writeSet(few, { one: [60, 40], vol_0000: [60, 40] });
  const chosenOn = { data: few, split: "val", images: 2, checkpoint: "best.safetensors" };
  const rule = { name: "a", largest: true, minPercent: 0, dice: { before: 0, after: 0 } };
  writePostprocess(run, { chosenOn, rules: [1, 2].map((label) => ({ ...rule, class: label })) });
  const how = ["--tile", "48", "--overlap", "0.25", "--tta", "--postprocess"];
  const report = svanetJson("eval", run, "--data", few, ...how, ...QUICK, "--out", at("tiled-scores")) as Report;
  svanetJson("predict", run, ...stems.map((stem) => join(seen, `${stem}.png`)), ...how, "--out", at("tiled"));
  await expectSame(report, at("tiled"), few, stems);
  expect(report).toMatchObject({
    scoredAt: "native",
    failures: [],
    cases: { cases: [{ name: "vol", spacing: null }] },
  });
  expect(readFileSync(join(at("tiled-scores"), "classes.csv"), "utf8")).toMatch(/^stratum,.*,scoredAt\n.*,native\n/);
});
