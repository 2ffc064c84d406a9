import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { partingRule } from "../../../src/cli/predictor-flags.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { DataError, UsageError } from "../../../src/errors.ts";
import { requireAlike } from "../../../src/experiment/checkpoint/ensemble.ts";
import { networkFor } from "../../../src/experiment/settings/recipe.ts";
import { resolvedConfig } from "../../../src/experiment/settings/resolved.ts";
import { withObjectFiles } from "../../../src/experiment/train/object-files.ts";
import { usedFiles } from "../../../src/experiment/train/same-data.ts";
import { parseFacts } from "../../../src/inference/checkpoint/facts.ts";
import type { NetworkConfig } from "../../../src/model/zoo.ts";
import { untrained } from "../../support/checkpoint.ts";
import { touchingBars } from "../../support/touching-bars.ts";
import { scratchFolder, tinyConfig } from "../../support/training.ts";

const scratch = scratchFolder();
const good = join(scratch.path, "good");
beforeAll(() => touchingBars(good, { train: 3, val: 1 }));
afterAll(() => scratch.remove());

const opened = async (folder: string) =>
  checkDataset(await openDataset(folder), ["train", "val"], { indexFile: `${folder}.index` });

const SET = { classes: ["background", "bar"], folder: "bars" };

test("the flag alone is 2 pixels, and what is no width is refused with the range", () => {
  expect(tinyConfig({ borders: true }).borders).toBe(2);
  expect([tinyConfig({}).borders, tinyConfig({ borders: false }).borders]).toEqual([null, null]);
  for (const wrong of [0, 1.5, 17, "wide"]) {
    expect(() => tinyConfig({ borders: wrong })).toThrow(
      `--borders: ${JSON.stringify(wrong)} does not fit: expected whole pixels from 1 to 16, or the flag alone, which is 2`,
    );
  }
});

test("the network has one output more, which a run's own settings do not count a second time", () => {
  const config = tinyConfig({ borders: 3 });
  const network = networkFor(config, SET);
  expect(network.classes).toBe(3);
  const resolved = resolvedConfig(config, network);
  expect([resolved.classes, resolved.borders]).toEqual([2, 3]);
  expect(networkFor(resolved, SET)).toEqual(network);
});

test("a network without room, and weights that leave the border out, are refused", () => {
  expect(() => networkFor(tinyConfig({ borders: true, classes: 255 }), SET)).toThrow(
    new UsageError(
      "--borders 2: a network tells at most 255 classes apart, and 255 are taken; leave the flag out, or train on fewer classes",
    ),
  );
  expect(() => networkFor(tinyConfig({ borders: true, classWeights: [1, 2] }), SET)).toThrow(
    new UsageError(
      "--class-weights 1,2: give one weight for each class, the background first: 3 for background, bar, border",
    ),
  );
  expect(networkFor(tinyConfig({ borders: true, classWeights: [1, 2, 5] }), SET).classes).toBe(3);
});

test("a set with objects gives training their files, whose content then counts", async () => {
  const dataset = await opened(good);
  expect(await withObjectFiles(dataset, { borders: null })).toBe(dataset);
  const files = usedFiles(await withObjectFiles(dataset, { borders: 2 }));
  expect([...files.keys()].filter((name) => name.startsWith("instances/")).sort()).toEqual(
    [0, 1, 2].map((index) => `instances/train-${index}.png`),
  );
  expect(files.get("instances/train-0.png")).toMatch(/^[0-9a-f]{64}$/);
});

test("a training image with objects but without their numbers is refused; one without objects needs none", async () => {
  const folder = join(scratch.path, "missing");
  cpSync(good, folder, { recursive: true });
  rmSync(join(folder, "instances/train-1.png"));
  const dataset = await opened(folder);
  await expect(withObjectFiles(dataset, { borders: 2 })).rejects.toThrow(
    new DataError(
      `--borders 2: 1 of 3 training images of ${folder} have no single objects in instances/ (first: ` +
        `${join(folder, "instances/train-1.png")} is missing), and from masks alone nobody knows where one object ends; ` +
        "prepare the set from files that number objects (docs/data.md), or leave the flag out",
    ),
  );
  const empty = (dataset.splits.train ?? []).map((sample) => ({ ...sample, labels: [[0, 4096]] as const }));
  const found = await withObjectFiles({ ...dataset, splits: { train: empty } }, { borders: 2 });
  expect(found.splits.train?.map(({ instances }) => instances !== undefined)).toEqual([true, false, true]);
});

const UNET: NetworkConfig = { kind: "unet", classes: 3, height: 16, width: 16, base: 1, depth: 2 };
const FACTS = { ...untrained("unet", UNET), classes: ["background", "bar"], borders: 2 };

test("a checkpoint says that its last output is no class; one that does not say so has none", () => {
  expect(parseFacts("a", JSON.stringify(FACTS))).toMatchObject({ borders: 2, classes: ["background", "bar"] });
  const { borders: _, ...silent } = FACTS;
  expect(() => parseFacts("a", JSON.stringify(silent))).toThrow(/number of class names is not the network's number/);
  expect(() => parseFacts("a", JSON.stringify({ ...FACTS, borders: 0 }))).toThrow(/borders/);
  expect(parseFacts("a", JSON.stringify({ ...silent, classes: ["a", "b", "c"] })).borders).toBe(undefined);
});

test("networks with and without such an output are not averaged", () => {
  const without = { ...untrained("unet", { ...UNET, classes: 2 }), classes: FACTS.classes };
  expect(() =>
    requireAlike([
      { path: "a", facts: FACTS },
      { path: "b", facts: without },
    ]),
  ).toThrow(/a and b cannot be averaged: class of borders: the last output and none; give checkpoints that agree/);
});

test("how objects are parted is said", () => {
  expect(partingRule(null, FACTS)).toBe("not parted");
  expect(partingRule(1, {})).toBe("parted at a depth of 1 px");
  expect(partingRule(1, FACTS)).toBe("parted by the borders between them, middles deeper than 1 px");
});
