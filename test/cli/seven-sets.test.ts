import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CheckedDataset, checkDataset } from "../../src/data/dataset/check-dataset.ts";
import { type Dataset, openDataset } from "../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../src/data/dataset/verify.ts";
import { writePng } from "../../src/data/decode.ts";
import { openNifti } from "../../src/data/formats/nifti-file.ts";
import { drawnSlice } from "../../src/data/formats/window.ts";
import { checkpointPath, loadNetwork } from "../../src/experiment/checkpoint/load-run.ts";
import { datasetStats } from "../../src/experiment/evaluate/data-stats.ts";
import { evaluateSplit } from "../../src/experiment/evaluate/evaluate.ts";
import { documentOf } from "../../src/experiment/evaluate/report.ts";
import { trainingSplits } from "../../src/experiment/study/chosen-data.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import type { ClassResult } from "../../src/metrics/evaluation.ts";
import { stratumName } from "../../src/metrics/strata.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { ctElements, dicomBytes } from "../support/raw/dicom.ts";
import { niftiBytes, RAS } from "../support/raw/nifti.ts";
import { fresh, run } from "../support/raw/prepare.ts";
import * as trees from "../support/raw/trees.ts";
import { svanet, svanetJson } from "../support/svanet.ts";
import { tinyConfig, trainHere } from "../support/training.ts";

/** By set: what writes its raw tree, names of the classes without the background, images in test. */
const SETS = [
  ["fives", trees.fivesTree, ["amd", "dr", "glaucoma", "healthy"], 4],
  ["isic2018", trees.isicTree, ["lesion"], 2],
  ["polypgen", trees.polypgenTree, ["polyp"], 6],
  ["atlas", trees.atlasTree, ["liver", "tumour"], 4],
  ["kits23", trees.kitsTree, ["kidney", "tumour", "cyst"], 2],
  ["tissuenet", trees.tissuenetTree, ["cell", "nucleus"], 2],
  ["spermhealth", trees.spermTree, ["normal", "abnormal"], 2],
] as const;

const LIMITS = [0.5, 1, 2, 3, 5, 10, 100];
const stratumNames = LIMITS.map(stratumName).sort();

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

async function verifyAndCount(dataset: Dataset, classes: readonly string[]): Promise<void> {
  const verified = await verifyDataset(dataset, { indexFile: fresh(), workers: 0 });
  expect(verified.errors).toBe(0);
  expect(verified.classes.map(({ name }) => name)).toEqual(classes);
  const stats = await datasetStats(dataset, { count: "class", area: "release", workers: 0 });
  const { train = 0, val = 0, test = 0 } = stats.splits;
  expect(stats.images).toBe(train + val + test);
  expect(stats.objects.all).toBeGreaterThan(0);
}

/** Two updates by the paper's recipe, of the smallest network; a run folder. */
async function trained(set: CheckedDataset): Promise<string> {
  const { statistics } = set;
  if (statistics === undefined) throw new Error(`${set.folder} has no statistics`);
  const out = fresh();
  const config = tinyConfig({ data: set.folder, out, batchSize: 2, steps: 2 });
  const result = await trainHere(device, { dataset: set, statistics }, config);
  expect(result).toMatchObject({ steps: 2, finished: true });
  return out;
}

/** What `svanet eval --split test --json` prints, the checkpoint being all that is known of the training. */
async function evaluated(folder: string, out: string) {
  const { network, checkpoint } = await loadNetwork(device, checkpointPath(out));
  const { classes, mean, std } = checkpoint.facts;
  const { splits } = await checkDataset(await openDataset(folder), ["test"], { classes, indexFile: fresh() });
  const samples = splits.test ?? [];
  const inference = await network.inference({ batch: 2, probabilities: true });
  try {
    const result = await evaluateSplit(network, {
      ...{ samples, classes: classes.length, statistics: { mean, std }, inference, limits: LIMITS, roc: true },
      extended: { resamples: 10 },
    });
    return { classes, samples, report: documentOf(result) };
  } finally {
    inference.program.destroy();
    network.destroy();
  }
}

/** Every set of the paper by prepare, verify, stats, train and eval. */
test.each(SETS)("%s: from its raw tree to scores on test", async (name, tree, objects, images) => {
  const [raw, folder] = [fresh(), fresh()];
  await tree(raw);
  expect((await run(name, raw, folder)).images.test).toBe(images);
  const classes = ["background", ...objects];
  const dataset = await openDataset(folder);
  await verifyAndCount(dataset, classes);
  const set = await checkDataset(dataset, trainingSplits(folder), { indexFile: fresh() });
  expect([set.classes, set.classSource]).toEqual([classes, "yaml"]);

  const found = await evaluated(folder, await trained(set));
  expect(found.classes).toEqual(classes);
  const { strata, auc, bootstrap, lesions } = JSON.parse(JSON.stringify(found.report));
  expect(Object.keys(strata).sort()).toEqual(stratumNames);
  expect([auc >= 0 && auc <= 1, bootstrap.resamples, lesions.length]).toEqual([true, 10, 2]);
  const { all } = strata;
  expect([all.images, all.emptyImages]).toEqual([images, 0]);
  expect(Number.isFinite(all.mDice)).toBe(true);
  // Every pixel of every image is labelled and predicted once, and the classes seen are those of the masks.
  const rows: readonly ClassResult[] = all.classes;
  for (const side of ["labelled", "predicted"] as const) {
    expect(rows.reduce((sum, row) => sum + row[side], 0)).toBe(images * 64 * 64);
  }
  const inMasks = new Set(found.samples.flatMap(({ labels }) => labels.map(([label]) => label)));
  expect(rows.flatMap((row) => (row.labelled > 0 ? [row.class] : []))).toEqual([...inMasks].sort());
});

/** A command of the built program that must end well; what it said beside its output. */
function said(...args: readonly string[]): string {
  const { status, stderr } = svanet(...args);
  expect([args[0], status, status === 0 ? "" : stderr]).toEqual([args[0], 0, ""]);
  return stderr;
}

/** The floats of a file that `--probabilities` wrote, row by row; of a scan slice by slice. */
function probabilitiesOf(out: string, stem: string): Float32Array {
  const bytes = readFileSync(join(out, `${stem}-probabilities.npy`));
  return new Float32Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer);
}

/** A scan of two slices, one of them as a picture through the window of KiTS23, and a series that asks for another. */
async function writeScans(folder: string): Promise<void> {
  mkdirSync(join(folder, "series"), { recursive: true });
  const value = (index: number) => (index * 37) % 500;
  const scan = join(folder, "scan.nii.gz");
  writeFileSync(scan, niftiBytes({ shape: [16, 12, 2], value: (i) => value(i) - 200, affine: RAS, gzip: true }));
  const volume = await openNifti(scan);
  await writePng(join(folder, "slice.png"), drawnSlice(volume.slice(0), { window: { low: -160, high: 240 } }));
  const values = Array.from({ length: 12 * 16 }, (_, i) => 1024 + value(i));
  const spec = { series: "1.2.3", instance: "1.2.3.1", z: 0, rows: 12, columns: 16, values };
  const extra = [
    [0x0028, 0x1050, "DS", "500"],
    [0x0028, 0x1051, "DS", "100"],
  ] as const;
  writeFileSync(join(folder, "series", "image.dcm"), dicomBytes(ctElements({ ...spec, extra })));
}

test("kits23 by the commands alone; predict shows scans through the window the set was prepared with", async () => {
  const [raw, folder, out, scans, shown] = [fresh(), fresh(), fresh(), fresh(), fresh()];
  trees.kitsTree(raw);
  said("data", "prepare", "kits23", "--from", raw, "--out", folder);
  expect(svanetJson("data", "verify", folder)).toMatchObject({ errors: 0, images: { train: 8, test: 2 } });
  expect(svanetJson("data", "stats", folder)).toMatchObject([{ splits: { train: 8, test: 2 }, objects: { all: 10 } }]);
  const tiny = ["--encoder", "mini", "--width", "4", "--size", "64", "--batch-size", "2", "--steps", "2"];
  expect(said("train", "--data", folder, "--out", out, ...tiny)).toContain("done: 2 steps");
  const report = svanetJson(
    "eval",
    out,
    "--data",
    folder,
    "--split",
    "test",
    "--at",
    "trained",
    "--strata",
    LIMITS.join(),
  );
  const { strata, classes } = report as { readonly strata: object; readonly classes: readonly string[] };
  expect(classes).toEqual(["background", "kidney", "tumour", "cyst"]);
  expect(Object.keys(strata).sort()).toEqual(stratumNames);
  expect(strata).toMatchObject({ all: { images: 2, mDice: expect.any(Number), classes: [{}, {}, {}, {}] } });

  await writeScans(scans);
  const predict = ["predict", out, ...["scan.nii.gz", "slice.png", "series"].map((name) => join(scans, name))];
  const trained = said(...predict, "--out", shown, "--probabilities");
  expect(trained).toContain("scan: 2 slices, shown from -160 to 240 (as the training data)");
  expect(trained).toContain("series: 1 slices, shown from -160 to 240 (as the training data)");
  // The picture has 256 greys; the scan is shown without rounding.
  const [volume, picture] = [probabilitiesOf(shown, "scan"), probabilitiesOf(shown, "slice")];
  const furthest = picture.reduce((most, value, i) => Math.max(most, Math.abs(value - (volume[i] ?? 0))), 0);
  expect(furthest).toBeLessThan(0.005);
  const other = fresh();
  const asked = said(...predict, "--out", other, "--probabilities", "--window=0,255");
  expect(asked).toContain("scan: 2 slices, shown from 0 to 255 (as asked for)");
  expect(probabilitiesOf(other, "scan")).not.toEqual(volume);
});
