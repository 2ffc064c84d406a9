import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataError, UsageError } from "../../../../src/errors.ts";
import { collectReport } from "../../../../src/experiment/report/collect.ts";
import { resolveConfig, writeConfig } from "../../../../src/experiment/settings/config.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "svanet-collect-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): void {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** A run's folder with a configuration and a log of so many updates. */
function run(name: string, flags: Readonly<Record<string, unknown>> = {}, updates = 4): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  writeConfig(join(path, "config.yaml"), resolveConfig({ data: join(folder, "cells"), out: path, steps: 8, ...flags }));
  const rows = Array.from({ length: updates }, (_, i) => ({
    step: i + 1,
    kind: "train",
    epoch: 0,
    loss: i,
    rate: 1e-3,
  }));
  const val = { step: updates, kind: "val", epoch: 0, loss: 0.5, foregroundDice: 70, mDice: 80, mIoU: null };
  write(`${name}/metrics.jsonl`, `${[...rows, val].map((row) => JSON.stringify(row)).join("\n")}\n{"step":`);
  return path;
}

const CLASSES = [
  { intersection: 90, predicted: 95, labelled: 100 },
  { intersection: 15, predicted: 25, labelled: 20 },
];
const STRATUM = {
  images: 2,
  mDice: 71.234567,
  mIoU: 60,
  sensitivity: 50,
  f2: 40,
  foregroundDice: null,
  classes: CLASSES,
};

/** What `svanet eval` leaves. */
function evaluation(name: string, scoredAt: string, checkpoint = "checkpoints/best.safetensors"): void {
  const head = {
    checkpoint,
    data: join(folder, "cells"),
    split: "val",
    classes: ["background", "cell"],
    area: "release",
    scoredAt,
  };
  write(`${name}/eval.json`, JSON.stringify({ ...head, strata: { "1": STRATUM, all: STRATUM }, auc: 0.75 }));
  const header = "name,height,width,shareRelease,sharePixels,imageDice,foregroundDice";
  write(`${name}/images.csv`, `${header}\n"a,1",8,8,0.5,0.6,70,60\nb,8,8,0,0,100,\n`);
  const points = Array.from(
    { length: 1001 },
    (_, i) => `foreground,${1 - i / 1000},${i / 1000},${Math.sqrt(i / 1000)}`,
  );
  write(`${name}/roc.csv`, `curve,threshold,falsePositiveRate,truePositiveRate\n${points.join("\n")}\n`);
}

test("a run is read with its curves, its scores, its images and its ROC curve", async () => {
  evaluation("first/eval", "native");
  const { runs, images, settings, notes } = await collectReport([run("first")]);
  expect(runs).toHaveLength(1);
  const [first] = runs;
  expect(first).toMatchObject({ name: "first", group: "svanet", step: 4, steps: 8, environment: null });
  expect(first?.curves.train).toMatchObject({ step: [1, 2, 3, 4], loss: [0, 1, 2, 3], per: 1 });
  expect(first?.curves.val).toMatchObject({ step: [4], foregroundDice: [70], mIoU: [null] });
  expect(first?.evaluation).toMatchObject({
    set: "cells",
    split: "val",
    scoredAt: "native",
    images: [0, 1],
    dice: [60, 100],
  });
  expect(first?.evaluation?.strata["1"]).toMatchObject({ mDice: 71.235, foregroundDice: null });
  expect(first?.evaluation?.confusion).toEqual([
    [90, 10],
    [5, 15],
  ]);
  expect(images).toEqual([
    { set: "cells", split: "val", name: "a,1", share: 0.5, thumbnail: null },
    { set: "cells", split: "val", name: "b", share: 0, thumbnail: null },
  ]);
  expect(first?.roc).toMatchObject({ area: 0.75, scoredAt: "native" });
  const { falsePositiveRate = [] } = first?.roc ?? {};
  expect([falsePositiveRate[0], falsePositiveRate.at(-1)]).toEqual([0, 1]);
  expect(falsePositiveRate.length).toBeLessThan(400);
  expect(settings.differing).toEqual([]);
  expect(notes).toEqual([]);
});

test("runs are named by what tells them apart, not by their seeds, and only what differs is a column", async () => {
  const paths = [
    run("a", { lr: 1e-3 }),
    run("b", { lr: 1e-3, seed: 1 }),
    run("c", { lr: 1e-4 }),
    run("d", { model: "unet" }),
  ];
  const { runs, settings } = await collectReport(paths);
  expect(runs.map(({ group }) => group)).toEqual(["svanet, lr 0.001", "svanet, lr 0.001", "svanet, lr 0.0001", "unet"]);
  expect(settings.differing.map(({ name }) => name)).toEqual(["model", "lr", "seed"]);
  expect(settings.differing.find(({ name }) => name === "seed")?.values).toEqual(["0", "1", "0", "0"]);
  expect(settings.common.map(({ name }) => name)).toContain("data");
});

test("a study's tables are read as they were printed, and its rows name the runs", async () => {
  run("study/runs/one");
  run("study/runs/two", { seed: 1 });
  const rows = [{ name: "full | model", runs: ["one", "two"] }];
  const unfinished = [{ run: "three", why: "the disk is full\nat line 1" }];
  const head = { id: "1", title: "Table VI", dataset: "cells", split: "val", repeats: 2 };
  write("study/table6.json", JSON.stringify({ ...head, rows, unfinished }));
  write("study/other.json", "{}");
  const markdown =
    "# Table VI\n\n## all\n\n| name | mDice |\n| --- | ---: |\n| full \\| model | **71.20 ± 0.10** |\n| b | 70 |\n\n- a note\n";
  write("study/table6.md", markdown);
  const { runs, tables } = await collectReport([join(folder, "study")]);
  expect(runs.map(({ name, group }) => [name, group])).toEqual([
    ["one", "full | model"],
    ["two", "full | model"],
  ]);
  expect(tables).toEqual([
    {
      title: "Table VI: all",
      caption: "cells, split val, 2 runs of each row.",
      columns: [
        { title: "name", align: "left" },
        { title: "mDice", align: "right" },
      ],
      rows: [
        [{ text: "full | model" }, { text: "71.20 ± 0.10", bold: true }],
        [{ text: "b" }, { text: "70" }],
      ],
      notes: ["a note", "No result: three (the disk is full)."],
    },
  ]);
});

test("an evaluation elsewhere is its run's; runs that were scored alike are compared", async () => {
  run("a");
  evaluation("a/eval", "native");
  evaluation("elsewhere", "64x64", join(folder, "a/checkpoints/best.safetensors"));
  mkdirSync(join(folder, "a/checkpoints"));
  const { runs } = await collectReport([join(folder, "a"), join(folder, "elsewhere")]);
  expect(runs.map(({ evaluation: one }) => one?.scoredAt)).toEqual(["64x64"]);
});

test("a folder that holds no run is refused by name; a damaged run among others is told and left out", async () => {
  const good = run("good");
  await expect(collectReport([join(folder, "none")])).rejects.toThrow(UsageError);
  await expect(collectReport([folder, join(folder, "good/metrics.jsonl")])).rejects.toThrow(/is a file/);
  mkdirSync(join(folder, "empty"));
  await expect(collectReport([join(folder, "empty")])).rejects.toThrow(/holds no run: name a folder with config.yaml/);
  const bad = run("bad");
  write("bad/eval/eval.json", '{"data": 1}');
  await expect(collectReport([bad])).rejects.toThrow(DataError);
  const { runs, notes } = await collectReport([good, bad]);
  expect(runs.map(({ name }) => name)).toEqual(["good"]);
  expect(notes).toEqual([expect.stringMatching(/bad is left out: .*eval\.json is damaged/)]);
});

test("nothing is written into the folders", async () => {
  const path = run("first");
  const before = readdirSync(path);
  await collectReport([path]);
  expect(readdirSync(path)).toEqual(before);
});
