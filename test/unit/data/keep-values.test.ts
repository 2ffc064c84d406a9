import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { encodeTiff } from "../../../src/data/codec/tiff-write.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { readPicture } from "../../../src/data/decode.ts";
import { openNifti } from "../../../src/data/formats/nifti-file.ts";
import { readStoredPicture } from "../../../src/data/formats/picture.ts";
import { shownSlice } from "../../../src/data/formats/window.ts";
import { niftiBytes, RAS } from "../../support/raw/nifti.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import * as trees from "../../support/raw/trees.ts";

/** Volumes with fractions of a unit, which 256 grey levels between -160 and 240 cannot hold. */
function raw(): string {
  const folder = fresh();
  const value = (index: number) => index / 7 - 20;
  for (const name of ["a", "b", "c"]) {
    for (const [part, bytes] of [
      ["images", niftiBytes({ shape: [6, 5, 3], value, type: "float32", affine: RAS })],
      ["labels", niftiBytes({ shape: [6, 5, 3], value: (index) => index % 2, type: "uint8", affine: RAS })],
    ] as const) {
      const file = join(folder, part, `${name}.nii`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
  }
  return folder;
}

test("a TIFF holds values as they are: whole, real, NaN, bright where low", async () => {
  for (const values of [
    [-32768, 0, 32767, -1],
    [0.1, -5.25, Number.NaN, 1e9],
  ]) {
    const found = await readStoredPicture(encodeTiff({ width: 2, height: 2, values }), "a.tif");
    expect([...found.samples]).toEqual(values.map((value) => Math.fround(value)));
    expect(found.inverted).toBe(false);
  }
  const bright = await readStoredPicture(encodeTiff({ width: 1, height: 2, values: [3, 9], inverted: true }), "a.tif");
  expect([bright.inverted, ...bright.samples]).toEqual([true, 3, 9]);
});

test("slices of a scan keep their values, and are seen through the window that predict takes", async () => {
  const [from, out] = [raw(), fresh()];
  const window = { low: -20, high: -10 };
  const { images } = await run("nifti", from, out, { window, keepValues: true });
  expect(images["train"]).toBeGreaterThan(0);
  const yaml = readFileSync(join(out, "dataset.yaml"), "utf8");
  expect(yaml).toMatch(/^window:\n {2}low: -20\n {2}high: -10$/m);
  const dataset = await checkDataset(await openDataset(out), ["train"], { indexFile: `${out}.index`, workers: 0 });
  expect(dataset.window).toEqual(window);
  expect(dataset.shown).toBe(
    `${dataset.splits.train?.length} pictures of 32 bits, shown from -20 to -10 (as dataset.yaml says)`,
  );
  const [sample] = dataset.splits.train ?? [];
  const [, stem = "", slice = ""] = /^(.*)_(\d{4})$/.exec(sample?.stem ?? "") ?? [];
  const volume = await openNifti(join(from, "images", `${stem}.nii`));
  const { picture } = await readPicture(sample?.image ?? "", { dataset: sample?.window });
  const seen = shownSlice(volume.slice(Number(slice)), { window }).data;
  const worst = Math.max(...seen.map((value, at) => Math.abs(value - (picture.data[3 * at] ?? Number.NaN))));
  expect(worst).toBeLessThan(1e-4);
});

test("a DICOM series keeps its values too", async () => {
  const [from, out] = [fresh(), fresh()];
  trees.dicomTree(from);
  await run("dicom", from, out, { window: { low: 0, high: 100 }, keepValues: true });
  const dataset = await checkDataset(await openDataset(out), ["train"], { indexFile: `${out}.index`, workers: 0 });
  expect(dataset.splits.train?.every(({ image }) => image.endsWith(".tif"))).toBe(true);
  expect(dataset.shown).toMatch(/of 16 bits, shown from 0 to 100 \(as dataset\.yaml says\)/);
});

test("what cannot keep values is one sentence", async () => {
  await expect(run("nifti", raw(), fresh(), { keepValues: true })).rejects.toThrow(/say with --window LOW,HIGH/);
});
