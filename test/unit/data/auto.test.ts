import { describe, expect, test } from "vitest";
import { autoKind } from "../../../src/data/prepare/layouts/auto.ts";
import { photo, putText } from "../../support/raw/layout-pictures.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import * as sets from "../../support/raw/trees.ts";

function pairsTree(root: string): void {
  for (const name of ["images/a.png", "masks/a.png", "images/b.png", "masks/b.png"]) sets.put(root, name, photo(1));
}

describe("auto finds the public sets and one's own layouts too", () => {
  test.each([
    ["fives", sets.fivesTree],
    ["isic2018", sets.isicTree],
    ["polypgen", sets.polypgenTree],
    ["atlas", sets.atlasTree],
    ["kits23", sets.kitsTree],
    ["tissuenet", sets.tissuenetTree],
    ["dicom", sets.dicomTree],
    ["folder", pairsTree],
  ] as const)("%s", async (name, tree) => {
    const raw = fresh();
    await tree(raw);
    const settings = { seed: 0, test: 0.2, every: 1, reading: undefined };
    const plan = autoKind.plan(
      raw,
      name === "folder" ? { ...settings, classes: ["a"], reading: { kind: "threshold", at: 9 } } : settings,
      0,
    );
    expect((await plan).recognised?.as).toBe(name);
  });

  test("a shape called background is no object", async () => {
    const points = [
      [0, 0],
      [2, 0],
      [2, 2],
      [0, 2],
    ];
    const shapes = ["_background_", "cell"].map((label) => ({ label, points, shape_type: "polygon" }));
    const [raw, out] = [fresh(), fresh()];
    sets.put(raw, "a.png", photo(1));
    putText(raw, "a.json", { imagePath: "a.png", shapes });
    const { notes, classes } = await run("labelme", raw, out, { test: 0, val: 0 });
    expect(classes.map(({ name, pixels }) => [name, pixels])).toEqual([
      ["background", 92],
      ["cell", 4],
    ]);
    expect(notes).toContain("1 shape called background left out");
  });
});
