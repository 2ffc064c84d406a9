import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readImageSource } from "../../../src/data/channel-picture.ts";
import { encodePng } from "../../../src/data/codec/png.ts";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { checkpointToOnnx } from "../../../src/experiment/checkpoint/export.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { tiffBytes } from "../../support/raw/tiff.ts";
import { scratchFolder, tinyConfig, trainHere } from "../../support/training.ts";

const scratch = scratchFolder();
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

const SIDE = 32;
const SIZE = { width: SIDE, height: SIDE };

/** A data set of two 16-bit channels a file each, with a square that only the second one shows. */
function twoChannels(): string {
  const folder = join(scratch.path, "data");
  for (const inner of ["train", "val", "mask"]) mkdirSync(join(folder, inner), { recursive: true });
  writeFileSync(join(folder, "dataset.yaml"), "channels: [ADC, T2]\nwindow: [{low: 0, high: 4095}, percentiles]\n");
  for (const [i, split] of ["train", "train", "train", "train", "val"].entries()) {
    const inside = (at: number) => at % SIDE > 4 + i && at % SIDE < 20 && at / SIDE > 8 && at / SIDE < 20 + i;
    const of = (value: (at: number) => number) =>
      tiffBytes({ ...SIZE, data: Uint16Array.from({ length: SIDE * SIDE }, (_, at) => value(at)) });
    const data = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => (inside(at) ? 1 : 0));
    writeFileSync(join(folder, `mask/case_${i}.png`), encodePng({ ...SIZE, channels: 1, data }));
    writeFileSync(
      join(folder, split, `case_${i}_0000.tif`),
      of((at) => (at * 7) % 4096),
    );
    writeFileSync(
      join(folder, split, `case_${i}_0001.tif`),
      of((at) => (inside(at) ? 30000 : (at * 11) % 900)),
    );
  }
  return folder;
}

test("two channels are trained on, scored, predicted and exported", async () => {
  const folder = twoChannels();
  const dataset = await checkDataset(await openDataset(folder), ["train", "val"], { indexFile: `${folder}.index` });
  const { statistics, splits } = dataset;
  if (statistics === undefined) throw new Error("the set has no statistics");
  const config = tinyConfig({ data: folder, out: join(scratch.path, "run"), size: String(SIDE), steps: 2 });
  await trainHere(device, { dataset, statistics }, config);

  const { network, checkpoint } = await loadNetwork(device, runPaths(config.out).last);
  const predictor = new Predictor(network, checkpoint);
  try {
    expect(checkpoint.facts.channels).toEqual({
      names: ["ADC", "T2"],
      windows: [{ low: 0, high: 4095 }, "percentiles"],
    });
    expect(checkpoint.facts.mean).toEqual(statistics.mean);
    const samples = splits.val ?? [];
    const [sample] = samples;
    if (sample === undefined) throw new Error("no sample");
    const masks: ArrayLike<number>[] = [];
    await evaluateNative({ samples, classes: 2, predictor, onImage: (_, __, map) => void masks.push(map.prediction) });
    const picture = await readImageSource(sample);
    expect(picture.channels).toBe(2);
    expect(Array.from(masks[0] ?? [])).toEqual(Array.from((await predictor.mask(picture)).data));
    const rgb = { ...SIZE, channels: 3, data: new Uint8Array(3 * SIDE * SIDE) };
    await expect(predictor.mask(rgb)).rejects.toThrow(/3 channels; it must have 2, as the network was trained/);
    const onnx = Buffer.concat([...checkpointToOnnx(checkpoint).chunks]).toString("latin1");
    expect(onnx).toContain('["ADC","T2"]');
    expect(onnx).toContain('[{"low":0,"high":4095},"percentiles"]');
  } finally {
    predictor.destroy();
    network.destroy();
  }
});
