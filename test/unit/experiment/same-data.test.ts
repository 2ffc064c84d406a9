import { cpSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { DataError } from "../../../src/errors.ts";
import { changedFiles, readDataRecord, writeDataRecord } from "../../../src/experiment/run/data-index.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { checkSameData, usedFiles } from "../../../src/experiment/train/same-data.ts";
import { fromZoo } from "../../../src/model/zoo.ts";
import { untrained } from "../../support/checkpoint.ts";
import { cells, scratchFolder, tinyConfig } from "../../support/training.ts";

const scratch = scratchFolder();
const at = (...names: string[]) => join(scratch.path, ...names);
afterAll(() => scratch.remove());
beforeAll(async () => {
  await cells(at("good"), 4, 2, 48);
});

/** A run on a copy of the good set, to which something is then done: what checking the data says. */
async function afterwards(name: string, change: (folder: string) => void, flags: { acceptChangedData?: boolean } = {}) {
  const folder = at(name);
  cpSync(at("good"), folder, { recursive: true, preserveTimestamps: true });
  const check = async () => checkDataset(await openDataset(folder), ["train", "val"], { indexFile: `${folder}.index` });
  const before = await check();
  const config = tinyConfig({ data: folder, out: at(`${name}-run`), ...flags });
  await mkdir(config.out, { recursive: true });
  const { mean, std } = before.statistics ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  writeDataRecord(runPaths(config.out).data, { files: usedFiles(before), mean, std });
  const network = { ...fromZoo("unet").config, classes: before.classes.length };
  const window = before.window === undefined ? {} : { window: before.window };
  const facts = { ...untrained("unet", network), classes: before.classes, mean, std, ...window };
  change(folder);
  const now = await check();
  return { said: () => checkSameData(config, facts, now, now.statistics ?? { mean, std }), config };
}

const swap = (one: string, other: string) => {
  renameSync(one, `${one}.aside`);
  renameSync(other, one);
  renameSync(`${one}.aside`, other);
};

const CHANGES: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
  [
    "a mask that is another",
    (f) => cpSync(join(f, "mask/train-0000.png"), join(f, "mask/train-0001.png")),
    /\(mask\/train-0001\.png is another\)/,
  ],
  [
    "masks that are swapped",
    (f) => swap(join(f, "mask/train-0000.png"), join(f, "mask/val-0001.png")),
    /\(mask\/train-0000\.png and mask\/val-0001\.png are swapped\)/,
  ],
  [
    "an image that is gone",
    (f) => rmSync(join(f, "train/train-0002.png")),
    /\(mask\/train-0002\.png is gone; train\/train-0002\.png is gone; the mean or deviation of the training pixels\)/,
  ],
  [
    "an image that is new",
    (f) => {
      cpSync(join(f, "val/val-0000.png"), join(f, "val/x.png"));
      cpSync(join(f, "mask/val-0000.png"), join(f, "mask/x.png"));
    },
    /\(mask\/x\.png is new; val\/x\.png is new\)/,
  ],
  [
    "another name of a class",
    (f) => writeFileSync(join(f, "dataset.yaml"), "classes: [background, cells]\n"),
    /\(classes background, cell, now background, cells\)/,
  ],
  [
    "a mean and deviation of dataset.yaml",
    (f) =>
      writeFileSync(
        join(f, "dataset.yaml"),
        "classes: [background, cell]\nmean: [0.1, 0.2, 0.3]\nstd: [0.1, 0.2, 0.3]\n",
      ),
    /\(the mean or deviation of the training pixels\)/,
  ],
  [
    "a window of dataset.yaml",
    (f) =>
      writeFileSync(join(f, "dataset.yaml"), "classes: [background, cell]\nprovenance: {window: {low: -9, high: 9}}\n"),
    /\(window none, now -9 to 9\)/,
  ],
];

test.each(CHANGES)("%s is named and refused, and accepted when asked", async (name, change, text) => {
  const { said } = await afterwards(name, change);
  expect(said).toThrow(DataError);
  expect(said).toThrow(text);
  expect(said).toThrow(
    /; restore it or give the same --data, choose another --out, or go on with --accept-changed-data$/,
  );
  const accepted = (await afterwards(`${name} accepted`, change, { acceptChangedData: true })).said();
  expect(accepted).toEqual([expect.stringMatching(text)]);
});

test("equal data under new times are equal, and dataset.yaml's mean does not keep files from being looked at", async () => {
  const same = await afterwards("touched", (f) => utimesSync(join(f, "mask/train-0000.png"), 1, 1));
  expect(same.said()).toEqual([]);
  const fixed = "classes: [background, cell]\nmean: [0.1, 0.2, 0.3]\nstd: [0.1, 0.2, 0.3]\n";
  writeFileSync(join(at("good"), "dataset.yaml"), fixed);
  const half = await afterwards("half", (f) => {
    for (const i of [0, 1]) rmSync(join(f, `train/train-000${i}.png`));
  });
  expect(half.said).toThrow("train/train-0000.png is gone; train/train-0001.png is gone");
});

test("a file that takes another's place with its size and time is noticed", async () => {
  const { said } = await afterwards("forged", (f) => {
    const [file, other] = [join(f, "train/train-0000.png"), join(f, "train/train-0001.png")];
    const { atime, mtime } = statSync(file);
    // A comment of zeros behind the picture makes both files of one length.
    const pad = (bytes: Buffer, length: number) => Buffer.concat([bytes, Buffer.alloc(length - bytes.length)]);
    const [own, foreign] = [readFileSync(file), readFileSync(other)];
    writeFileSync(file, foreign.length <= own.length ? pad(foreign, own.length) : own.fill(1, own.length - 1));
    utimesSync(file, atime, mtime);
  });
  expect(said).toThrow("train/train-0000.png is another");
});

test("a list that is torn or missing", async () => {
  const { said, config } = await afterwards("torn", () => undefined);
  const { data } = runPaths(config.out);
  rmSync(data);
  expect(said()).toEqual([`${data}: the run had no list of its files yet; from now on changes are noticed`]);
  for (const text of ["{", "[]", '{"version":1,"files":[["a","b"]]}']) {
    writeFileSync(data, text);
    expect(readDataRecord(data)).toBe("damaged");
    expect(said).toThrow(`${data}, which lists its files, is damaged`);
  }
});

test("many differences are listed in part, in the order of names", () => {
  const index = (...entries: [string, string][]) => new Map(entries);
  const before = index(["a", "1"], ["b", "2"], ["c", "3"], ["d", "4"]);
  expect(changedFiles(before, index(["a", "2"], ["b", "1"], ["c", "9"], ["e", "4"]))).toEqual([
    "a and b are swapped",
    "c is another",
    "d is gone",
    "e is new",
  ]);
  expect(changedFiles(before, before)).toEqual([]);
});
