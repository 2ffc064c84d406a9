import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { predictFiles } from "../../../src/cli/commands/predict-files.ts";
import { FileFailures } from "../../../src/cli/file-failures.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { readMask } from "../../../src/data/decode.ts";
import { openNifti } from "../../../src/data/formats/nifti-file.ts";
import { checkpointPath, loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import type { Format } from "../../../src/experiment/predict/outputs.ts";
import { listInputs } from "../../../src/experiment/predict/predict-inputs.ts";
import { trainingSplits } from "../../../src/experiment/study/chosen-data.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { cocoMask, cocoRuns } from "../../support/exported.ts";
import * as scans from "../../support/raw/layout-scans.ts";
import * as trees from "../../support/raw/layout-trees.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import { tinyConfig, trainHere } from "../../support/training.ts";

/** Their folders, as their programs leave them; and where one holds scans, such a scan. */
const LAYOUTS: Readonly<Record<string, { tree(root: string): void | Promise<void>; readonly scan?: string }>> = {
  "nnU-Net 2, pictures": { tree: scans.nnunet2dTree },
  "nnU-Net 1, volumes": { tree: scans.nnunet1Tree, scan: "imagesTr/t_000_0000.nii.gz" },
  Decathlon: { tree: scans.decathlonTree },
  COCO: { tree: trees.cocoTree },
  "YOLO-seg": { tree: trees.yoloTree },
  "Pascal VOC": { tree: trees.vocTree },
  "DSB 2018": { tree: trees.dsbTree },
  labelme: { tree: trees.labelmeTree },
  QuPath: { tree: trees.qupathTree },
  Cellpose: { tree: trees.cellposeTree },
  "pictures with named masks": { tree: trees.driveTree },
};

/** A folder that is there. */
function made(): string {
  const folder = fresh();
  mkdirSync(folder);
  return folder;
}

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Two updates of a small U-Net; the run's folder. */
async function trained(folder: string): Promise<string> {
  const set = await checkDataset(await openDataset(folder), trainingSplits(folder), { indexFile: fresh() });
  const { statistics } = set;
  if (statistics === undefined) throw new Error(`${folder} has no statistics`);
  const out = fresh();
  const unet = { model: "unet", encoder: null, width: 4, size: "32", batchSize: 2, steps: 2 };
  const result = await trainHere(device, { dataset: set, statistics }, tinyConfig({ data: folder, out, ...unet }));
  expect(result).toMatchObject({ steps: 2, finished: true });
  return out;
}

interface CocoFile {
  readonly images: readonly { readonly id: number; readonly file_name: string }[];
  readonly annotations: readonly {
    readonly image_id: number;
    readonly category_id: number;
    readonly segmentation: { readonly size: readonly [number, number]; readonly counts: string };
  }[];
}

/** The class of every pixel of one image as COCO's objects give it. */
function cocoClasses(file: string, image: string, pixels: number): number[] {
  const { images, annotations }: CocoFile = JSON.parse(readFileSync(file, "utf8"));
  const id = images.find(({ file_name }) => file_name.endsWith(image))?.id;
  const classes = new Array<number>(pixels).fill(0);
  for (const { image_id, category_id, segmentation } of annotations) {
    if (image_id !== id) continue;
    const [height, width] = segmentation.size;
    cocoMask(cocoRuns(segmentation.counts), width, height).forEach((inside, at) => {
      if (inside) classes[at] = category_id;
    });
  }
  return classes;
}

const PICTURE_FORMATS: readonly Format[] = ["png", "coco", "geojson", "rois", "labels"];

test.each(Object.entries(LAYOUTS))("%s: in by auto, verified, trained, scored, predicted, and out", async (_, own) => {
  const [raw, folder] = [fresh(), fresh()];
  await own.tree(raw);
  const summary = await run("auto", raw, folder);
  expect(summary.recognised).toMatch(/^Recognised as /);
  const dataset = await openDataset(folder);
  const { findings } = await verifyDataset(dataset, { indexFile: fresh(), workers: 0 });
  // The volumes of a tree are all drawn alike.
  const wrong = findings.filter(({ severity, code }) => severity === "error" && code !== "duplicate-across-splits");
  expect(wrong).toEqual([]);

  const { network, checkpoint } = await loadNetwork(device, checkpointPath(await trained(folder)));
  try {
    const { facts } = checkpoint;
    const predictor = new Predictor(network, checkpoint);
    const { splits } = await checkDataset(dataset, ["train"], { classes: facts.classes, indexFile: fresh() });
    const samples = splits.train ?? [];
    const scores = await evaluateNative({ samples, classes: facts.classes.length, predictor });
    expect(scores.images.length).toBe(samples.length);
    expect(Number.isFinite(scores.strata["all"]?.mDice)).toBe(true);

    const images = readdirSync(join(folder, "train")).map((name) => join(folder, "train", name));
    const flags = { out: made(), format: PICTURE_FORMATS };
    const failures = new FileFailures(images.length);
    const { written } = await predictFiles(predictor, listInputs(images), { flags, facts, failures });
    expect(written.length).toBe(images.length);
    for (const { image, mask = "", coco = "", geojson = "", rois = "", labels = "" } of written) {
      const { data } = await readMask(mask);
      expect(cocoClasses(coco, image.split("/").at(-1) ?? "", data.length)).toEqual([...data]);
      for (const file of [geojson, rois, labels]) expect(existsSync(file), file).toBe(true);
    }

    if (own.scan === undefined) return;
    const scan = await openNifti(join(raw, own.scan));
    const work = { flags: { out: made() }, facts, failures: new FileFailures(1) };
    const { written: volumes } = await predictFiles(predictor, listInputs([join(raw, own.scan)]), work);
    const label = await openNifti(volumes[0]?.mask ?? "");
    expect(label.size).toEqual(scan.size);
  } finally {
    network.destroy();
  }
});
