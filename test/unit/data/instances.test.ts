import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { encodeGrey16 } from "../../../src/data/codec/png-grey16.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { fixDataset } from "../../../src/data/dataset/fix.ts";
import { readInstances } from "../../../src/data/dataset/instance-files.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { HEIGHT, objectLabels, photo, WIDTH } from "../../support/raw/layout-pictures.ts";
import { cellposeTree } from "../../support/raw/layout-trees.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import { put } from "../../support/raw/trees.ts";

test("objects are read back; what fits no mask is found; a fixed copy has them", async () => {
  const [raw, out, fixed] = [fresh(), fresh(), fresh()];
  cellposeTree(raw);
  await run("auto", raw, out);
  const file = (stem: string) => join(out, "instances", `${stem}.png`);
  expect([...(await readInstances(file("well_1"))).data]).toEqual(objectLabels(12));
  const data = Uint16Array.from(objectLabels(3));
  writeFileSync(file("well_2"), encodeGrey16(data, HEIGHT, WIDTH));
  writeFileSync(file("well_3"), encodeGrey16(data.with(5 * WIDTH + 1, 77), WIDTH, HEIGHT));
  writeFileSync(file("well_4"), encodePng({ width: 1, height: 1, channels: 3, data: new Uint8Array(3) }));
  writeFileSync(file("well_9"), encodeGrey16(data, WIDTH, HEIGHT));
  const dataset = await openDataset(out);
  const verification = await verifyDataset(dataset);
  const said = verification.findings
    .filter(({ file: at }) => at.includes("instances"))
    .map(({ severity, message }) => `${severity} ${message.slice(out.length + 1)}`);
  expect(said).toEqual([
    "warning instances/well_2.png: has 8x12 pixels, its mask 12x8; prepare the set anew",
    "warning instances/well_3.png: has object 77 at row 5, column 1, where the mask has background; prepare the set anew",
    "warning instances/well_4.png: objects are stored as grey PNG of 16 bits, this is rgb; write it anew",
    "warning instances/well_9.png: belongs to no image of train, val or test; remove it",
  ]);
  await fixDataset(dataset, verification, fixed);
  expect([...(await readInstances(join(fixed, "instances", "well_1.png"))).data]).toEqual(objectLabels(12));
});

test.each([
  [16, [12, 3, 7], true],
  [16, [3, 3, 3], false],
  [8, [6, 5, 4], true],
  [8, [6, 5, 5], false],
] as const)(
  "a dataset folder of %i-bit masks with %j objects: refused as objects %s",
  async (bits, counts, refused) => {
    const folder = fresh();
    for (const [at, count] of counts.entries()) {
      const labels = objectLabels(count);
      const mask = encodePng({ width: WIDTH, height: HEIGHT, channels: 1, data: Uint8Array.from(labels) });
      put(folder, `train/p${at}.png`, photo(at));
      put(folder, `mask/p${at}.png`, bits === 16 ? encodeGrey16(Uint16Array.from(labels), WIDTH, HEIGHT) : mask);
    }
    const checked = openDataset(folder).then((dataset) => checkDataset(dataset, ["train"], { workers: 0 }));
    if (!refused) {
      expect((await checked).classes).toHaveLength(1 + Math.max(...counts));
      return;
    }
    const highest = Math.max(...counts);
    await expect(checked).rejects.toThrow(
      new RegExp(
        `look like single objects, not classes: they count from 1 .* to ${highest} in another, .* --instances .* --classes ${highest + 1}$`,
      ),
    );
    // The command that the message names does it; who says that they are classes is believed.
    const out = fresh();
    await run("folder", folder, out, { reading: { kind: "instances" } });
    expect(existsSync(join(out, "instances", "p0.png"))).toBe(true);
    const dataset = await openDataset(folder);
    expect((await checkDataset(dataset, ["train"], { workers: 0, believed: highest + 1 })).classes).toHaveLength(
      highest + 1,
    );
  },
);
