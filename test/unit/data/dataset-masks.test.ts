import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { type CheckOptions, checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { tiffBytes } from "../../support/raw/tiff-labels.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-masks-"));
  for (const name of ["train", "mask"]) await mkdir(join(folder, name));
});
afterEach(() => rm(folder, { recursive: true }));

const SIZE = { width: 8, height: 8 };
const at = (...parts: string[]) => join(folder, ...parts);
const labelled = (labels: readonly number[]) => {
  const data = new Uint8Array(64);
  data.set(labels);
  return { ...SIZE, channels: 1 as const, data };
};
const image = (stem: string) => writePng(at("train", `${stem}.png`), filled(SIZE, 3, stem.charCodeAt(0)));

async function put(stem: string, labels: readonly number[], name = `${stem}.png`): Promise<void> {
  await image(stem);
  await writeFile(at("mask", name), encodePng(labelled(labels)));
}

const check = async (options: CheckOptions = {}) =>
  checkDataset(await openDataset(folder), ["train"], { indexFile: at("index.json"), workers: 0, ...options });
const failure = (options: CheckOptions = {}) =>
  check(options).then(
    () => "",
    (error: unknown) => (error instanceof Error ? error.message.replaceAll(folder, "SET") : ""),
  );
const verified = async () => verifyDataset(await openDataset(folder), { indexFile: at("index.json"), workers: 0 });

describe("mask files are found, or named with what reads them", () => {
  test("PNG and TIFF, however their endings are written", async () => {
    await put("a", [1], "a.PNG");
    await image("b");
    await writeFile(at("mask", "b.Tif"), tiffBytes({ ...SIZE, values: [2, 1], bits: 16 }));
    await image("c");
    await writeFile(at("mask", "c.tiff"), tiffBytes({ ...SIZE, values: [1], bits: 32, format: "float" }));
    const { splits, classes, warnings } = await check();
    expect(splits.train?.map(({ labels }) => labels.map(([label]) => label))).toEqual([
      [0, 1],
      [0, 1, 2],
      [0, 1],
    ]);
    expect([classes.length, warnings]).toEqual([3, []]);
  });

  test.each([
    ["a.bmp", "svanet data prepare folder --from SET --out NEW-FOLDER reads it"],
    ["a.jpg", "svanet data prepare folder --from SET --out NEW-FOLDER reads it"],
    ["a_mask.gif", "svanet data prepare folder --from SET --out NEW-FOLDER reads it"],
    ["A.bmp", "svanet data prepare folder --from SET --out NEW-FOLDER reads it, once it is named a.bmp"],
    ["a_mask.png", "name it SET/mask/a.png"],
    ["A.TIF", "name it SET/mask/a.TIF"],
    ["a.npy", "export it as PNG, SET/mask/a.png"],
  ])("%s", async (name, cure) => {
    await put("b", [1]);
    await put("a", [1], name);
    expect(await failure()).toBe(
      `SET/train/a.png: its mask is not named or stored as masks of a dataset folder are: SET/mask/${name}; ${cure}`,
    );
  });

  test("of two files none is taken; the usual name wins", async () => {
    await put("a", [1], "a.PNG");
    await writeFile(at("mask", "a.tif"), tiffBytes({ ...SIZE, values: [2], bits: 8 }));
    expect(await failure()).toBe(
      "SET/train/a.png: which file is its mask is not clear: SET/mask/a.PNG, SET/mask/a.tif; name the one that is meant a.png",
    );
    await writeFile(at("mask", "a.png"), encodePng(labelled([1, 2, 3])));
    const { classes, warnings } = await check();
    expect([classes.length, warnings.length]).toEqual([4, 1]);
  });
});

describe("numbers that are hardly classes need someone who names them", () => {
  test("grey levels: one error, no list of absent classes", async () => {
    await put("a", [128, 128, 255]);
    await put("b", [128]);
    const { findings, errors, classes } = await verified();
    expect(findings.filter(({ severity }) => severity === "error").map(({ code }) => code)).toEqual([
      "not-class-numbers",
    ]);
    expect(findings.some(({ code }) => code === "class-never-present")).toBe(false);
    expect([errors, classes.map(({ label }) => label)]).toEqual([1, [0, 128]]);
    expect(await failure()).toBe(
      "SET: are these class numbers? Its masks hold 3 different values (0 x 124, 128 x 3, 255 x 1), while 127 numbers below 128 " +
        "never occur (first: 1), and nobody names the classes; if not, svanet data prepare folder --from SET --out NEW-FOLDER " +
        "--map 0=0,128=1,255=2, or --map 255=1,128=ignore reads them; if so, name them in dataset.yaml or train with --classes 129",
    );
  });

  test("more than 32 classes without a gap, and a count or names that are believed", async () => {
    await put(
      "a",
      Array.from({ length: 33 }, (_, label) => label),
    );
    expect(await failure()).toMatch(
      /hold 33 different values .*, and nobody names .*--threshold 1 reads them.*--classes 33$/,
    );
    expect(await failure({ believed: 32 })).toContain("are these class numbers?");
    expect((await check({ believed: 33 })).classes).toHaveLength(33);
    const names = Array.from({ length: 33 }, (_, label) => `class${label}`);
    await writeFile(at("dataset.yaml"), `classes: [${names.join(", ")}]`);
    expect((await check()).classes).toEqual(names);
    expect((await verified()).errors).toBe(0);
  });

  test("32 classes without a gap, with and without 255, are believed", async () => {
    await put("a", [...Array.from({ length: 32 }, (_, label) => label), 255]);
    expect((await check()).classes).toHaveLength(32);
  });
});

describe("nothing is said of classes in masks that could not be read", () => {
  const coloured = () =>
    encodePng({ ...SIZE, channels: 3, data: Uint8Array.from({ length: 192 }, (_, at) => (at % 3 === 0 ? 255 : 0)) });

  test("nor is there any class where all are unreadable", async () => {
    await image("a");
    await writeFile(at("mask", "a.png"), coloured());
    const { findings, classes } = await verified();
    expect(findings.map(({ code }) => code)).toEqual(["unreadable"]);
    expect(classes).toEqual([]);
  });

  test("of one split no class is missing, of the other one is", async () => {
    await writeFile(at("dataset.yaml"), "classes: [background, cell, ghost]");
    await put("a", [1, 0]);
    await mkdir(at("val"));
    await writePng(at("val", "v.png"), filled(SIZE, 3, 9));
    await writeFile(at("mask", "v.png"), coloured());
    const { findings } = await verified();
    const absent = findings.filter(({ code }) => code === "class-never-present");
    expect(absent.map(({ message }) => message.replaceAll(folder, "SET"))).toEqual([
      "SET: no mask holds class 2 ghost; correct the masks, or remove the class from dataset.yaml",
    ]);
  });

  test("a split of 0 and 255 alone is one error, without a warning that says it again", async () => {
    await put("a", [255]);
    await put("b", [255, 255]);
    const { findings } = await verified();
    expect(findings.filter(({ code }) => code === "mask-0-255").map(({ severity }) => severity)).toEqual(["error"]);
  });
});
