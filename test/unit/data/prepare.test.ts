import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDataset, type SplitName, samplesOf } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { readImage, readMask } from "../../../src/data/decode.ts";
import type { PrepareSummary } from "../../../src/data/prepare/prepare.ts";
import { datasetStats } from "../../../src/experiment/evaluate/data-stats.ts";
import { niftiBytes } from "../../support/raw/nifti.ts";
import { base, contents, fresh, run, stems, values } from "../../support/raw/prepare.ts";
import * as trees from "../../support/raw/trees.ts";

interface Case {
  readonly set: string;
  readonly tree: (root: string) => void | Promise<void>;
  readonly images: PrepareSummary["images"];
  readonly classes: readonly string[];
  /** What is special about the set. */
  readonly look: (out: string) => void | Promise<void>;
}

const CASES: readonly Case[] = [
  {
    set: "fives",
    tree: trees.fivesTree,
    images: { train: 4, test: 4 },
    classes: ["background", "amd", "dr", "glaucoma", "healthy"],
    look: async (out) => {
      expect(stems(out, "test")).toEqual(["1_A_test.png", "2_D_test.png", "3_G_test.png", "4_N_test.png"]);
      for (const [stem, value] of [
        ["1_A", 1],
        ["2_D", 2],
        ["3_G", 3],
        ["4_N", 4],
      ] as const) {
        expect(await values(out, `${stem}_train`)).toEqual([0, value]);
      }
      expect([...(await readMask(join(out, "mask", "4_N_test.png"))).data]).toEqual([
        ...trees.square(3).map((bit) => bit * 4),
      ]);
    },
  },
  {
    set: "isic2018",
    tree: trees.isicTree,
    images: { train: 4, test: 2 },
    classes: ["background", "lesion"],
    look: async (out) => {
      expect(stems(out, "test")).toEqual(["ISIC_0012255.jpg", "ISIC_0012256.jpg"]);
      expect(await values(out, "ISIC_0000003")).toEqual([0, 1]);
    },
  },
  {
    set: "polypgen",
    tree: trees.polypgenTree,
    images: { train: 24, test: 6 },
    classes: ["background", "polyp"],
    look: async (out) => {
      // A fifth of 30 frames; every hospital's five give one.
      expect(new Set(stems(out, "test").map((name) => name.slice(0, -6))).size).toBe(6);
      expect([...(await readMask(join(out, "mask", "100H0050_2.png"))).data]).toEqual([...trees.square(2)]);
    },
  },
  {
    set: "atlas",
    tree: trees.atlasTree,
    images: { train: 16, test: 4 },
    classes: ["background", "liver", "tumour"],
    look: async (out) => {
      const [held] = stems(out, "test");
      const volume = held?.slice(0, 3) ?? "";
      // Slices 0, 4, 8 and the last of one volume; the others train.
      expect(stems(out, "test")).toEqual(["0000", "0004", "0008", "0009"].map((slice) => `${volume}_${slice}.png`));
      expect(stems(out, "train").some((name) => name.startsWith(`${volume}_`))).toBe(false);
      // The array starts at the patient's right and front: it is shown as stored.
      const mask = await readMask(join(out, "mask", `${volume}_0000.png`));
      expect([...mask.data].map((value) => Number(value > 0))).toEqual([...trees.square(Number(volume.slice(2)))]);
      expect(await values(out, `${volume}_0000`)).toEqual([0, 1, 2]);
      // Scaled per volume: both ends are used although signals lie near 1000 x number.
      const { data } = await readImage(join(out, "test", `${volume}_0000.png`));
      expect([Math.min(...data), Math.max(...data)]).toEqual([0, 255]);
    },
  },
  {
    set: "kits23",
    tree: trees.kitsTree,
    images: { train: 8, test: 2 },
    classes: ["background", "kidney", "tumour", "cyst"],
    look: async (out) => {
      // ceil(2 % of 60) = 2 slices a case, between slices 9 and 50.
      const numbers = [...stems(out, "train"), ...stems(out, "test")].map((name) => Number(name.slice(11, 15)));
      expect(numbers.every((slice) => slice >= 9 && slice < 51)).toBe(true);
      const [name = ""] = stems(out, "test");
      const mask = await readMask(join(out, "mask", name));
      expect([mask.width, mask.height]).toEqual([24, 16]);
      // Stored from head to foot: slice n from the feet is array index 59 - n; its class tells.
      const [, value = 0] = await values(out, name.slice(0, -4));
      expect(value).toBe(1 + ((59 - Number(name.slice(11, 15))) % 3));
      expect([...mask.data].map((label) => Number(label > 0))).toEqual([...trees.square(Number(name.slice(5, 10)))]);
    },
  },
  {
    set: "tissuenet",
    tree: trees.tissuenetTree,
    images: { train: 3, val: 2, test: 2 },
    classes: ["background", "cell", "nucleus"],
    look: async (out) => {
      const image = await readImage(join(out, "test", "tissue-test_00001.png"));
      expect([image.width, image.height]).toEqual([8, 8]);
      const pixels = Array.from({ length: 64 }, (_, pixel) => [...image.data.subarray(pixel * 3, pixel * 3 + 3)]);
      // Red stays empty, both channels are scaled to their own range.
      expect(Math.max(...pixels.map(([red = 0]) => red))).toBe(0);
      expect(pixels.every(([, green, blue]) => green === blue)).toBe(true);
      expect(Math.max(...pixels.map(([, green = 0]) => green))).toBe(255);
      const { data } = await readMask(join(out, "mask", "tissue-test_00001.png"));
      expect([...data.subarray(24, 32)]).toEqual([0, 1, 1, 2, 2, 1, 1, 0]);
    },
  },
  {
    set: "spermhealth",
    tree: trees.spermTree,
    images: { train: 8, test: 2 },
    classes: ["background", "normal", "abnormal"],
    look: async (out) => {
      expect(await values(out, "frame_001")).toEqual([0, 1]);
      expect(await values(out, "frame_002")).toEqual([0, 1, 2]);
      // Two frames in a row are held out (the first follows the last).
      const [a = 0, b = 0] = stems(out, "test").map((name) => Number(name.slice(6, 9)));
      expect([1, 9]).toContain(b - a);
    },
  },
];

describe("the paper's sets", () => {
  test.each(CASES)(
    "$set: prepared from a raw tree, sound for training, done once",
    async ({ set, tree, images, classes, look }) => {
      const [raw, out] = [fresh(), fresh()];
      await tree(raw);
      const before = contents(raw);
      const summary = await run(set, raw, out);
      expect(summary.images).toEqual(images);
      const dataset = await openDataset(out);
      expect(dataset.yaml.classes).toEqual(classes);
      expect(dataset.yaml.provenance).toMatchObject({ set, command: "test", settings: { seed: 0 } });
      const splits = Object.keys(images) as SplitName[];
      const verified = await verifyDataset(dataset, { indexFile: fresh(), workers: 0 });
      expect(verified.findings.filter(({ severity }) => severity === "error")).toEqual([]);
      expect(verified.classes.map(({ name }) => name)).toEqual(classes);
      const stats = await datasetStats(dataset, { count: "class", area: "pixels", workers: 0 });
      expect(stats.objects.all).toBeGreaterThan(0);
      for (const split of splits) expect(samplesOf(dataset, split)).toHaveLength(images[split] ?? 0);
      expect(dataset.unusedMasks).toEqual([]);
      await look(out);
      const written = contents(out);
      const again = await run(set, raw, out);
      expect([again.done, again.images]).toEqual([0, images]);
      expect(contents(out)).toEqual(written);
      // The raw files are as they were, nothing came to them, nothing lies beside the target.
      expect(contents(raw)).toEqual(before);
      expect(existsSync(`${out}.partial`)).toBe(false);
    },
  );

  test.each(CASES)("$set: another folder gets a sentence naming what was expected and found", async ({ set }) => {
    const [raw, out] = [fresh(), fresh()];
    trees.put(raw, "holiday/beach.gif", Buffer.from("GIF"));
    await expect(run(set, raw, out)).rejects.toThrow(/does not look like .*Expected: .*Found: holiday\//);
    await expect(run(set, join(base, "nowhere.zip"), out)).rejects.toThrow(/no such folder; unpack the archive/);
    expect(existsSync(out) || existsSync(`${out}.partial`)).toBe(false);
  });

  test("a mask without its image, an unknown name and a label beyond the classes name their file", async () => {
    const raw = fresh();
    trees.fivesTree(raw);
    rmSync(join(raw, "test", "Original", "2_D.png"));
    await expect(run("fives", raw, fresh())).rejects.toThrow(
      /test: images and masks do not pair up \(without image: 2_D\.png\)/,
    );
    const atlas = fresh();
    trees.atlasTree(atlas);
    const wrong = niftiBytes({ shape: [24, 16, 10], value: () => 3, type: "uint8", affine: trees.LPS, gzip: true });
    writeFileSync(join(atlas, "train/labelsTr/lb2.nii.gz"), wrong);
    await expect(run("atlas", atlas, fresh())).rejects.toThrow(
      /1 of 5 raw items failed(.|\n)*lb2\.nii\.gz: holds the value 3 at slice 0, row 0, column 0; classes are 0 to 2: /,
    );
  });
});

describe("resuming", () => {
  test("after a damaged file is restored the same command does the rest only, in threads or not", async () => {
    const [raw, out] = [fresh(), fresh()];
    trees.kitsTree(raw);
    const scan = join(raw, "dataset/case_00007/imaging.nii.gz");
    const good = readFileSync(scan);
    writeFileSync(scan, Buffer.concat([good.subarray(0, good.length - 40), Buffer.alloc(40)]));
    await expect(run("kits23", raw, out, {}, 2)).rejects.toThrow(
      /1 of 5 raw items failed.*partial(.|\n)*case_00007.imaging\.nii\.gz.*gzip/,
    );
    expect(existsSync(out)).toBe(false);
    const kept = contents(`${out}.partial`).filter((line) => line.includes(".png "));
    expect(kept).toHaveLength(16);
    writeFileSync(scan, good);
    const summary = await run("kits23", raw, out, {}, 2);
    expect([summary.done, summary.finishedBefore]).toEqual([1, 4]);
    expect(contents(out).filter((line) => kept.includes(line))).toHaveLength(16);
    // The same bytes as in one go.
    const straight = fresh();
    await run("kits23", raw, straight);
    const pictures = (folder: string) =>
      readdirSync(join(folder, "mask")).map((name) => [name, readFileSync(join(folder, "mask", name))]);
    expect(pictures(out)).toEqual(pictures(straight));
  });

  test("a file that vanished is made again; other settings or raw files need another folder", async () => {
    const [raw, out] = [fresh(), fresh()];
    trees.spermTree(raw);
    await run("spermhealth", raw, out);
    rmSync(join(out, "mask", "frame_004.png"));
    expect((await run("spermhealth", raw, out)).done).toBe(1);
    await expect(run("spermhealth", raw, out, { seed: 1 })).rejects.toThrow(
      /prepared from other raw files or with other settings/,
    );
    await expect(run("spermhealth", raw, raw)).rejects.toThrow(/raw files stay untouched/);
    await expect(run("spermhealth", raw, join(raw, "out"))).rejects.toThrow(/raw files stay untouched/);
    const full = fresh();
    trees.put(full, "mine.txt", Buffer.from("mine"));
    await expect(run("spermhealth", raw, full)).rejects.toThrow(/already holds 1 entries/);
  });
});
