import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { placeOf } from "../../../src/data/dataset/volumes.ts";
import { writePng } from "../../../src/data/decode.ts";
import { filled } from "../../../src/data/image/image.ts";
import { VolumeScores } from "../../../src/experiment/evaluate/volume-scores.ts";

const fresh = () => mkdtempSync(join(tmpdir(), "svanet-"));

describe("dataset.yaml tells which images are slices of a volume, and how large pixels are", () => {
  const volumes = { case_1: { spacing: [0.5, 0.6, 3] }, bare: null } as const;

  test("by the volume's name and the slice's number", () => {
    expect(placeOf("case_1_0012", { volumes })).toEqual({
      volume: { name: "case_1", slice: 12 },
      spacing: [0.5, 0.6, 3],
    });
    expect(placeOf("bare_0003", { volumes })).toEqual({ volume: { name: "bare", slice: 3 } });
    for (const stem of ["case_2_0001", "case_1", "case_1_12", "toString_0001"])
      expect(placeOf(stem, { volumes })).toEqual({});
    expect(placeOf("photo", { spacing: [2, 3] })).toEqual({ spacing: [2, 3] });
  });

  test("sets that were prepared from volumes before they were listed are known by their kind", () => {
    const provenance = { set: "nifti" };
    expect(placeOf("case_1_0012", { provenance })).toEqual({ volume: { name: "case_1", slice: 12 } });
    expect(placeOf("case_1_0012", { provenance: { set: "folder" } })).toEqual({});
  });
});

/** A set of grey pictures with masks of the given label each; what is no number is a file that cannot be read. */
async function setOf(yaml: string, labels: Readonly<Record<string, number | "broken">>) {
  const folder = fresh();
  for (const part of ["val", "mask"]) mkdirSync(join(folder, part));
  writeFileSync(join(folder, "dataset.yaml"), yaml);
  for (const [stem, label] of Object.entries(labels)) {
    const image = join(folder, "val", `${stem}.png`);
    await writePng(image, filled({ width: 6, height: 4 }, 3, 90));
    await writePng(
      join(folder, "mask", `${stem}.png`),
      filled({ width: 6, height: 4 }, 1, label === "broken" ? 0 : label),
    );
    if (label === "broken") writeFileSync(image, readFileSync(image).subarray(0, 40));
  }
  return openDataset(folder);
}

describe("what evaluation asks of a data set", () => {
  const check = async (dataset: Awaited<ReturnType<typeof setOf>>, leaveOut = true) =>
    checkDataset(dataset, ["val"], { classes: ["rest", "cell"], indexFile: join(fresh(), "index"), leaveOut });

  test("labels that the network does not know are one sentence, however many masks hold them", async () => {
    const dataset = await setOf("classes: [rest, a, b, c]", { a: 2, b: 3, c: 1, d: 2 });
    await expect(check(dataset)).rejects.toThrow(
      `${dataset.folder}: 3 of 4 masks hold labels that the network does not know (2, 3; first ${join(dataset.folder, "mask", "a.png")}): ` +
        "it has 2 classes (0 rest, 1 cell; 255 = ignore); take a network that was trained on these classes",
    );
  });

  test("an image that cannot be used is left out and named, unless none is left", async () => {
    const dataset = await setOf("{}", { a: 1, b: "broken", c: 0 });
    const { splits, leftOut } = await check(dataset);
    expect(splits.val?.map(({ stem }) => stem)).toEqual(["a", "c"]);
    expect(leftOut.map(({ code, file }) => [code, file])).toEqual([
      ["unreadable", join(dataset.folder, "val", "b.png")],
    ]);
    await expect(check(dataset, false)).rejects.toThrow("b.png");
    await expect(check(await setOf("{}", { b: "broken" }))).rejects.toThrow("b.png");
  });
});

describe("slices become a case", () => {
  const [height, width] = [4, 5];
  const spacing = [0.5, 0.7, 2] as const;
  /** Slices by number, each with a block that moves by one column. */
  function scored(numbers: readonly number[], options: { tolerance?: number | null; sizes?: readonly number[] } = {}) {
    const samples = numbers.map((slice) => {
      const stem = `v_${String(slice).padStart(4, "0")}`;
      const place = { volume: { name: "v", slice }, spacing };
      return { stem, image: stem, mask: stem, width, height, labels: [], ...place };
    });
    const { tolerance = 1, sizes = [] } = options;
    const volumes = new VolumeScores(samples, 2, tolerance);
    for (const [i, sample] of samples.entries()) {
      const rows = sizes[i] ?? height;
      const map = (shift: number) =>
        Uint8Array.from({ length: rows * width }, (_, at) => Number(at % width === 1 + shift));
      volumes.add({ sample, prediction: map(1), target: map(0), height: rows, width });
    }
    return volumes.result()?.cases[0];
  }

  test("in the order of their numbers, with the distance between those that are there", () => {
    expect(scored([4, 2, 0])).toMatchObject({
      ...{ name: "v", slices: 3, spacing: [4, 0.7, 0.5], foregroundDice: 0 },
      classes: [{ hausdorff95: 0.5, surfaceDice: 100 }],
    });
    expect(scored([7])?.spacing).toEqual([2, 0.7, 0.5]);
  });

  test("without borders where a slice is missing, differs in size, or nobody asked", () => {
    for (const one of [scored([0, 1, 3]), scored([0, 1], { sizes: [4, 3] }), scored([0, 1], { tolerance: null })]) {
      expect(one).toMatchObject({ spacing: null, classes: [{ dice: 0, hausdorff95: Number.NaN }] });
    }
    expect(new VolumeScores([], 2, 1).result()).toBeUndefined();
  });
});
