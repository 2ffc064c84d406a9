import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  COUNT,
  folderOf,
  grey,
  LABELS,
  mapped,
  picture,
  prepared,
  refusal,
  SIZE,
} from "../../support/raw/mask-folders.ts";
import { fresh } from "../../support/raw/prepare.ts";
import { tiffBytes } from "../../support/raw/tiff-labels.ts";
import * as trees from "../../support/raw/trees.ts";

describe("layouts", () => {
  test("nnU-Net's 2-D folders, with the names of dataset.json and its ignored number", async () => {
    const folder = fresh();
    for (let at = 0; at < COUNT; at++) {
      trees.put(folder, `imagesTr/p${at}_0000.png`, picture(at));
      trees.put(folder, `labelsTr/p${at}.png`, grey([0, 1, 2, 3]));
    }
    expect((await prepared(folder)).labels).toEqual([...LABELS]);
    const labels = { background: 0, ring: 1, core: 2, ignore: 3 };
    writeFileSync(join(folder, "dataset.json"), JSON.stringify({ labels }));
    const found = await prepared(folder);
    expect(found.labels).toEqual([...mapped([0, 1, 2, 255])]);
    expect(found.yaml).toMatch(/classes:\s+- background\s+- ring\s+- core\n/);
    writeFileSync(
      join(folder, "dataset.json"),
      JSON.stringify({ labels: { 0: "background", 1: "a", 2: "b", 3: "c" } }),
    );
    expect((await prepared(folder)).yaml).toMatch(/- background\s+- a\s+- b\s+- c\n/);
    trees.put(folder, "imagesTr/p1_0001.png", grey([0, 0, 0, 0]));
    expect(await refusal(folder)).toMatch(/several channels a case are not supported: p1 has _0000, _0001; /);
  });

  test("a dataset folder, whose splits share mask/: what verify advises can be done", async () => {
    const folder = fresh();
    for (const [split, stem] of [
      ["train", "p0"],
      ["train", "q"],
      ["val", "r"],
    ] as const) {
      trees.put(folder, `${split}/${stem}.png`, picture(stem.charCodeAt(0) % 12));
      trees.put(
        folder,
        `mask/${stem}_mask.bmp`,
        tiffBytes({ ...SIZE, values: [...mapped([0, 255, 255, 255])], bits: 8 }),
      );
    }
    const { labels, notes } = await prepared(folder);
    expect(labels).toEqual([...mapped([0, 1, 1, 1])]);
    expect(notes).toContain("Split by the folders train, val and test");
  });

  test("two masks of one picture are named", async () => {
    const folder = await folderOf(".png", () => grey([0, 1, 2, 3]));
    trees.put(folder, "masks/p1_mask.png", grey([0, 1, 2, 3]));
    expect(await refusal(folder)).toMatch(/RAW\/masks\/p1_mask\.png and RAW\/masks\/p1\.png: both are masks of p1/);
  });
});
