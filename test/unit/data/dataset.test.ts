import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CheckOptions, checkDataset, defaultColours } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset, type SplitName } from "../../../src/data/dataset/dataset.ts";
import { writePng } from "../../../src/data/decode.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { DataError } from "../../../src/errors.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-data-"));
  for (const name of ["train", "val", "mask"]) await mkdir(join(folder, name));
});
afterEach(() => rm(folder, { recursive: true }));

const SIZE = { width: 8, height: 6 };
const at = (...parts: string[]) => join(folder, ...parts);

async function put(split: string, stem: string, labels: readonly number[], grey = 100): Promise<void> {
  const mask = filled(SIZE, 1, 0);
  mask.data.set(labels);
  await writePng(at(split, `${stem}.png`), filled(SIZE, 3, grey));
  await writePng(at("mask", `${stem}.png`), mask);
}

async function check(splits: readonly SplitName[] = ["train"], options: CheckOptions = {}) {
  return checkDataset(await openDataset(folder), splits, { indexFile: at("index.json"), ...options });
}

async function failure(splits: readonly SplitName[] = ["train"], options: CheckOptions = {}): Promise<string> {
  const error = await check(splits, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error instanceof Error ? error.message.replaceAll(`${folder}/`, "") : "";
}

describe("a good dataset", () => {
  test("counts classes, measures statistics and sizes", async () => {
    await put("train", "b", [2, 1, 1, 255], 51);
    await put("train", "a", [1], 153);
    await put("val", "c", [0]);
    const seen: number[] = [];
    const checked = await check(["train", "val"], { onProgress: (done, total) => seen.push(done / total) });
    expect(checked.classes).toEqual(["background", "class 1", "class 2"]);
    expect(checked.classSource).toBe("masks");
    expect(checked.splits.train?.map(({ stem }) => stem)).toEqual(["a", "b"]);
    expect(checked.splits.train?.[1]).toMatchObject({
      ...SIZE,
      labels: [
        [0, 44],
        [1, 2],
        [2, 1],
        [255, 1],
      ],
    });
    expect(checked.statistics?.mean[0]).toBeCloseTo(0.4, 12);
    expect(checked.statistics?.std[2]).toBeCloseTo(0.2, 12);
    expect(checked.decoded).toBe(6);
    expect(checked.warnings).toEqual([]);
    expect(seen.at(-1)).toBe(1);
    expect(seen.length).toBe(3);
  });

  test("decodes nothing twice, and only what changed", async () => {
    await put("train", "a", [1]);
    await put("train", "b", [1]);
    const first = await check();
    expect(first.decoded).toBe(4);
    expect({ ...(await check()), decoded: 4 }).toEqual(first);
    expect((await check()).decoded).toBe(0);
    await utimes(at("train", "a.png"), 1, 1);
    expect((await check()).decoded).toBe(0);
    await put("train", "b", [1], 7);
    expect((await check()).decoded).toBe(1);
    await writeFile(at("index.json"), "spoilt");
    expect((await check()).decoded).toBe(4);
  });

  test("takes names, colours and statistics from dataset.yaml", async () => {
    await put("train", "a", [1]);
    const yaml =
      'name: Cells\nclasses: [ground, cell]\ncolours: ["#000000", [255, 0, 9]]\nmean: [0.1, 0.2, 0.3]\nstd: [1, 1, 1]\n';
    await writeFile(at("dataset.yaml"), yaml);
    expect(await check()).toMatchObject({
      name: "Cells",
      classes: ["ground", "cell"],
      colours: [
        [0, 0, 0],
        [255, 0, 9],
      ],
      classSource: "yaml",
      statistics: { mean: [0.1, 0.2, 0.3], std: [1, 1, 1] },
    });
  });

  test("says what is odd but may be meant", async () => {
    await put("train", "a", [1]);
    await put("train", "b", [255]);
    await writePng(at("mask", "z.png"), filled(SIZE, 1, 0));
    const { warnings } = await check();
    expect(warnings[0]).toMatch(
      /b\.png: only the values 0 and 255 occur, .* data prepare folder --from .*--map \.\.\.,255=1 says so$/,
    );
    expect(warnings[1]).toContain("1 masks belong to no image of train, val or test (first: z.png)");
  });
});

describe("a bad dataset", () => {
  test("missing folders and images", async () => {
    await expect(openDataset(at("nowhere"))).rejects.toThrow(
      "nowhere: there is no such folder; a dataset folder holds",
    );
    await expect(openDataset(at("train"))).rejects.toThrow("train: has none of train/, val/, test/");
    expect(await failure()).toMatch(/^train: the folder has no images/);
    expect(await failure(["test"])).toContain('there is no split "test" (found: train, val)');
    await rm(at("mask"), { recursive: true });
    await expect(openDataset(folder)).rejects.toThrow("has no folder mask/");
  });

  test("lists every problem, not just the first", async () => {
    await put("train", "a", [1]);
    await writePng(at("train", "lonely.png"), filled(SIZE, 3, 1));
    await writeFile(at("train", "notes.txt"), "");
    await put("train", "wide", [1]);
    await writePng(at("mask", "wide.png"), filled({ width: 9, height: 6 }, 1, 0));
    await put("train", "short", [1]);
    await writeFile(at("train", "short.png"), (await readFile(at("train", "short.png"))).subarray(0, 60));
    await writeFile(at("train", "a.jpg"), "");
    const message = await failure();
    expect(message).toMatch(/: 6 problems in train:\n/);
    expect(message).toContain("train/lonely.png: has no mask; expected mask/lonely.png");
    expect(message).toContain("train/notes.txt: no image format we read");
    expect(message).toContain("mask/wide.png: the mask is 9x6, its image train/wide.png is 8x6");
    expect(message).toContain("train/short.png: the image is damaged, cut short");
    expect(message).toContain("train/a.jpg: the file is empty");
    expect(message).toContain("train/a.png: has the same stem as train/a.jpg");
  });

  test("shortens a long list", async () => {
    for (let index = 0; index < 23; index++) await writePng(at("train", `i${index}.png`), filled(SIZE, 3, 1));
    const message = await failure();
    expect(message).toMatch(/: 23 problems in train:\n/);
    expect(message).toMatch(/ {2}- and 3 more$/);
  });
});

describe("bad labels and a bad dataset.yaml", () => {
  test("labels beyond the classes", async () => {
    await put("train", "a", [1, 3, 3]);
    expect(await failure(["train"], { classes: ["background", "cell"] })).toBe(
      "mask/a.png: holds label 3 (2 pixels), beyond the 2 classes (0 background, 1 cell; 255 = ignore); " +
        "correct the mask or name the class in dataset.yaml",
    );
  });

  test("masks of 0 and 255", async () => {
    await put("train", "a", [255, 255]);
    await put("train", "b", [0]);
    const expected =
      "train: its 2 masks hold only the values 0 and 255 (first: mask/a.png, 2 pixels of 255). A pixel's value is its class: " +
      "0 is background, 1 the first class (foreground), and 255 means 'ignore', so these masks name no object at all; " +
      `svanet data prepare folder --from ${folder} --out NEW-FOLDER --map 255=1 makes 255 the first class`;
    expect(await failure()).toBe(expected);
    await writeFile(at("dataset.yaml"), "classes: [background, cell]");
    expect(await failure()).toBe(expected);
  });

  test("masks of background only", async () => {
    await put("train", "a", [0]);
    expect(await failure()).toContain("every mask holds only 0 (background)");
  });

  test("dataset.yaml with wrong keys and values", async () => {
    await put("train", "a", [1]);
    const messages = [
      ["clases: [a, b]", 'unknown key "clases"; did you mean "classes"?'],
      ["wheels: 4", 'unknown key "wheels"; known: name, classes,'],
      ["classes: [a]", "classes: "],
      ["colours: [red]", "colours.0: "],
      ["mean: [0.1, 0.1, 0.1]", "mean and std belong together"],
      ["classes: [a, b]\ncolours: [[0, 0, 0]]", "1 colours for 2 classes (a, b)"],
      ["a: [", "this is not valid YAML"],
    ] as const;
    for (const [text, message] of messages) {
      await writeFile(at("dataset.yaml"), text);
      await expect(openDataset(folder)).rejects.toThrow(message);
    }
  });
});

test("has a colour for every class", () => {
  const colours = defaultColours(20).map(String);
  expect(new Set(colours).size).toBe(20);
});

test("reads images that are one grey tone", async () => {
  const grey: ByteImage = filled(SIZE, 1, 60);
  await writePng(at("train", "g.png"), grey);
  await writePng(at("mask", "g.png"), filled(SIZE, 1, 1));
  const { statistics } = await check();
  expect(statistics?.mean[1]).toBeCloseTo(60 / 255, 12);
  expect(statistics?.std).toEqual([1 / 255, 1 / 255, 1 / 255]);
});
