import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { readDatasetYaml } from "../../../src/data/dataset/dataset-yaml.ts";
import { readFacts, saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { SVANET_PRESETS } from "../../../src/model/svanet/config.ts";
import { untrained } from "../../support/checkpoint.ts";
import { base, fresh, run } from "../../support/raw/prepare.ts";
import * as trees from "../../support/raw/trees.ts";

/** The window that scans were shown through, as the prepared set knows it. */
async function windowOf(set: string, tree: (root: string) => void, window?: { low: number; high: number }) {
  const [raw, out] = [fresh(), fresh()];
  tree(raw);
  await run(set, raw, out, window ? { window } : {});
  return (await checkDataset(await openDataset(out), ["train"], { indexFile: fresh() })).window;
}

test("a set knows the window of all its scans, chosen or its own; scans scaled one by one and pictures have none", async () => {
  expect(await windowOf("kits23", trees.kitsTree)).toEqual({ low: -160, high: 240 });
  expect(await windowOf("kits23", trees.kitsTree, { low: 0, high: 255 })).toEqual({ low: 0, high: 255 });
  expect(await windowOf("atlas", trees.atlasTree)).toBeUndefined();
  expect(await windowOf("spermhealth", trees.spermTree)).toBeUndefined();
  await expect(windowOf("spermhealth", trees.spermTree, { low: 0, high: 9 })).rejects.toThrow(
    /--window 0,9: all pictures in .* have 8 bits/,
  );
});

test("dataset.yaml: the window is checked, all else about how a folder was made is free", async () => {
  const file = join(base, "dataset.yaml");
  const read = (provenance: string) => {
    writeFileSync(file, `provenance: ${provenance}\n`);
    return readDatasetYaml(file);
  };
  expect((await read("{ window: { low: -100, high: 150.5 }, scanner: [1] }"))?.provenance).toEqual({
    window: { low: -100, high: 150.5 },
    scanner: [1],
  });
  expect((await read("{ by: hand }"))?.provenance?.window).toBeUndefined();
  await expect(read("{ window: { low: 5, high: 5 } }")).rejects.toThrow(
    /dataset\.yaml: provenance\.window: .*high must lie above low/,
  );
  await expect(read("{ window: soft tissue }")).rejects.toThrow(/provenance\.window/);
});

test("a checkpoint carries the window; one without stays readable", async () => {
  const facts = untrained("svanet", SVANET_PRESETS.svanet);
  const file = join(base, "facts.safetensors");
  await saveCheckpoint(file, new Map(), facts);
  expect((await readFacts(file)).window).toBeUndefined();
  await saveCheckpoint(file, new Map(), { ...facts, window: { low: -160, high: 240 } });
  expect((await readFacts(file)).window).toEqual({ low: -160, high: 240 });
});
