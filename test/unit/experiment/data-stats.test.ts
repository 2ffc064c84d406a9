import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { datasetStats, type StatsOptions } from "../../../src/experiment/evaluate/data-stats.ts";
import { sizeHistogram } from "../../../src/experiment/evaluate/size-histogram.ts";

const SIZE = { width: 100, height: 100 };
let folder = "";

/** Squares as [label, side, left, top] in a picture of 10000 pixels, so that a pixel is 0.01 %. */
async function put(split: string, stem: string, squares: readonly (readonly [number, number, number, number])[]) {
  const mask = filled(SIZE, 1, 0);
  for (const [label, side, left, top] of squares) {
    for (let y = top; y < top + side; y++) mask.data.fill(label, y * 100 + left, y * 100 + left + side);
  }
  await writePng(join(folder, split, `${stem}.png`), filled(SIZE, 3, 1));
  await writePng(join(folder, "mask", `${stem}.png`), mask);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-stats-"));
  for (const name of ["train", "test", "mask"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "dataset.yaml"), "name: Squares & co\nclasses: [ground, cell, tail]\n");
  await put("train", "a", [
    [1, 5, 10, 10],
    [1, 9, 40, 40],
    [2, 20, 60, 60],
  ]);
  await put("train", "b", [[1, 50, 20, 20]]);
  await put("test", "c", [[2, 1, 30, 30]]);
});
afterAll(() => rm(folder, { recursive: true }));

const stats = async (options: StatsOptions) => datasetStats(await openDataset(folder), { workers: 0, ...options });

test("counts one object an image and class by pixels", async () => {
  expect(await stats({ count: "class", area: "pixels" })).toMatchObject({
    name: "Squares & co",
    images: 3,
    splits: { train: 2, test: 1 },
    objects: { ultraSmall: 2, small: 3, all: 4 },
    areaPercent: [0.01, 25],
    withoutArea: 0,
    classes: [
      { label: 1, name: "cell", objects: { ultraSmall: 1, small: 1, all: 2 } },
      { label: 2, name: "tail", objects: { ultraSmall: 1, small: 2, all: 2 } },
    ],
    shares: [0.81, 4, 25, 0.01],
  });
});

test("counts every component, and by the authors' area a side less a pixel squared", async () => {
  expect((await stats({ count: "component", area: "pixels" })).objects).toEqual({ ultraSmall: 3, small: 4, all: 5 });
  const release = await stats({ count: "component", area: "release" });
  expect(release.shares).toEqual([0.16, 0.64, 3.61, 24.01, 0]);
  expect(release).toMatchObject({ areaPercent: [0.16, 24.01], withoutArea: 1 });
});

test("gives the same whatever the threads, and refuses a folder whose files do not pair up", async () => {
  const options: StatsOptions = { count: "class", area: "release" };
  expect(await stats({ ...options, workers: 2 })).toEqual(await stats(options));
  const lonely = join(folder, "train", "lonely.png");
  await writePng(lonely, filled(SIZE, 3, 1));
  await expect(stats(options)).rejects.toThrow(/lonely\.png: has no mask; .*svanet data verify/);
  await rm(lonely);
});

test("draws each object once, in its stratum's colour", async () => {
  const one = await stats({ count: "component", area: "pixels" });
  const svg = sizeHistogram([one, { ...one, name: "second" }]);
  expect(svg).toContain("Squares &amp; co");
  const planted = sizeHistogram([{ ...one, name: "</text><script>\u001b[2J" }]);
  expect(planted).toContain("&lt;/text&gt;&lt;script&gt;\\x1b[2J");
  expect(svg.match(/<title>\d+<\/title>/g)).toHaveLength(10);
  const bars = (fill: string) => svg.match(new RegExp(`fill="${fill}"><title>`, "g"))?.length;
  expect([bars("#c2410c"), bars("#e8a33d"), bars("#3f6f9f")]).toEqual([6, 2, 2]);
  const { width, height } = await sharp(Buffer.from(svg)).metadata();
  expect([width, height]).toEqual([720, 534]);
});
