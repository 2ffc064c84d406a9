import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkDataset } from "../../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../../src/data/dataset/dataset.ts";
import { writePng } from "../../../../src/data/decode.ts";
import { filled } from "../../../../src/data/image/image.ts";
import { planForData } from "../../../../src/experiment/plan/plan-data.ts";
import { readFingerprint } from "../../../../src/experiment/plan/read-fingerprint.ts";
import { resolveConfig } from "../../../../src/experiment/settings/config.ts";
import { networkFor } from "../../../../src/experiment/settings/recipe.ts";
import { trainingNeeds } from "../../../../src/training/costs.ts";
import { scratchFolder } from "../../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

/** A set of two training pictures with 12, 5 and 1 pixels of class 1 and 4 of class 2, and one to validate on. */
async function specks() {
  const folder = join(scratch.path, "specks");
  for (const name of ["train", "val", "mask"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(
    join(folder, "dataset.yaml"),
    "classes: [background, a, b]\nspacing: [0.5, 0.25]\nprovenance: {set: kits23}\n",
  );
  const picture = async (stem: string, split: string, width: number, paint: (mask: Uint8Array) => void) => {
    const mask = filled({ width, height: 32 }, 1, 0);
    paint(mask.data);
    await writePng(join(folder, split, `${stem}.png`), filled({ width, height: 32 }, 3, 51));
    await writePng(join(folder, "mask", `${stem}.png`), mask);
  };
  await picture("one", "train", 64, (mask) => {
    mask.fill(1, 64 * 3 + 5, 64 * 3 + 17); // 12 in a row
    mask.fill(2, 64 * 9 + 5, 64 * 9 + 9);
    mask.fill(255, 64 * 20, 64 * 20 + 64); // ignored
  });
  await picture("two", "train", 40, (mask) => {
    mask.fill(1, 40 * 3 + 5, 40 * 3 + 10);
    mask[40 * 8 + 20] = 1;
  });
  await picture("three", "val", 300, (mask) => void mask.fill(1, 0, 200));
  return checkDataset(await openDataset(folder), ["train", "val"], { indexFile: `${folder}.index` });
}

test("a fingerprint is measured on the training images alone, at their own size", async () => {
  const dataset = await specks();
  const { images, objects, classes, validation, spacings, intensities } = await readFingerprint(dataset, {
    workers: 0,
  });
  expect(images).toEqual([
    { width: 64, height: 32 },
    { width: 40, height: 32 },
  ]);
  expect([validation, dataset.source]).toEqual([1, "kits23"]);
  expect(objects.map(({ image, pixels }) => `${pixels} in ${image}`)).toEqual([
    "12 in 0",
    "4 in 0",
    "5 in 1",
    "1 in 1",
  ]);
  const counted = 64 * 32 - 64 + 40 * 32;
  expect(classes.map(({ name, share, images: holding }) => [name, Math.round(share * counted), holding])).toEqual([
    ["background", counted - 22, 2],
    ["a", 18, 2],
    ["b", 4, 1],
  ]);
  expect(spacings).toEqual([
    [0.5, 0.25],
    [0.5, 0.25],
  ]);
  expect(intensities.mean[0]).toBeCloseTo(51 / 255, 5);

  // The bytes are those of the trace, and what does not fit is said.
  const config = resolveConfig({ data: "-", out: "-", model: "unet", width: 4, size: "64", workers: 0 });
  const given = new Set(["model", "width", "size"] as const);
  const memory = { bytes: 2 ** 22, source: "-" };
  const { chosen, notes } = await planForData(dataset, { config, given, memory, shared: false });
  expect(chosen.bytes).toBe(trainingNeeds(networkFor(config, dataset), 2).gpu);
  expect(chosen.fits).toBe(false);
  expect(notes).toContain("a step on 2 images of the given size does not fit into 4.0 MiB");
});
