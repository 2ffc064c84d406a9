import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { SamplePool } from "../../../src/data/feed/sample-pool.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { evaluateSplit } from "../../../src/experiment/evaluate/evaluate.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import { ObjectEvaluation } from "../../../src/experiment/evaluate/object-evaluation.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { BARS, touchingBars } from "../../support/touching-bars.ts";
import { type Cells, scratchFolder, tinyConfig, traceOf, trainHere } from "../../support/training.ts";

// On a busy machine training takes minutes.
vi.setConfig({ testTimeout: 300_000 });

const scratch = scratchFolder();
const data = join(scratch.path, "bars");
const out = (name: string) => join(scratch.path, name);
let device: Device;
let set: Cells;

beforeAll(async () => {
  device = await openDevice();
  touchingBars(data, { train: 8, val: 2 });
  const dataset = await checkDataset(await openDataset(data), ["train", "val"], { indexFile: `${data}.index` });
  if (!dataset.statistics) throw new Error("the set has no statistics");
  set = { dataset, statistics: dataset.statistics };
});
afterAll(() => {
  device.close();
  scratch.remove();
});

const config = (name: string, flags = {}) => tinyConfig({ data, borders: true, out: out(name), ...flags });

test("bars that touch are told apart by the borders that the network has learnt, and no mask shows these", async () => {
  const settings = config("run", { width: 8, lr: 8e-3, augment: ["flip"], steps: 50, evalEvery: 25 });
  const result = await trainHere(device, set, settings);
  const { network, checkpoint } = await loadNetwork(device, runPaths(settings.out).last);
  const { facts } = checkpoint;
  expect([facts.borders, facts.config.classes, facts.classes]).toEqual([2, 3, ["background", "bar"]]);
  const predictor = new Predictor(network, checkpoint);
  const samples = set.dataset.splits.val ?? [];
  const scored = async (depth: number | null) => {
    const objects = new ObjectEvaluation({ classes: facts.classes, depths: [depth], choose: false });
    const labels = new Set<number>();
    const onImage = (_: number, __: number, { prediction }: { prediction: ArrayLike<number> }) => {
      for (const label of Array.from(prediction)) labels.add(label);
    };
    const found = await evaluateNative({ samples, classes: 2, predictor, objects, onImage, roc: true });
    return {
      predicted: found.objects?.all.predicted,
      pq: found.objects?.all.pq ?? 0,
      labels,
      all: found.strata["all"],
    };
  };
  const [whole, parted] = [await scored(null), await scored(0.75)];
  // A pair's mask is one rectangle: without the borders nothing parts it.
  const bars = samples.length * BARS;
  expect(whole.predicted).toBeLessThanOrEqual(bars / 2 + 1);
  expect(parted.predicted).toBeGreaterThanOrEqual(bars - 1);
  expect([...parted.labels].sort()).toEqual([0, 1]);
  expect(parted.pq).toBeGreaterThan(80);
  expect(parted.all?.classes.map((one) => one.class)).toEqual([0, 1]);

  // The images have the trained size: both ways of evaluating see the same.
  const inference = await network.inference({ batch: 2, probabilities: true });
  const pool = new SamplePool(0);
  const options = { samples, classes: 2, borders: true, statistics: facts, inference, pool, loss: true };
  const stretched = await evaluateSplit(network, options);
  expect(stretched.strata["all"]?.foregroundDice).toBeCloseTo(parted.all?.foregroundDice ?? 0, 6);
  expect(result.best).toBeGreaterThan(90);
  await pool.close();
  inference.program.destroy();
  predictor.destroy();
  network.destroy();
});

test("a run that learns borders goes on as if it had not been stopped, and not on other borders", async () => {
  const flags = { resume: "auto", steps: 5, size: "32", ablation: "t4-svattn" };
  await trainHere(device, set, config("whole", flags));
  await trainHere(device, set, config("stopped", flags), { stopAt: 3 });
  await trainHere(device, set, config("stopped", flags));
  expect(traceOf(out("stopped"))).toEqual(traceOf(out("whole")));
  await expect(trainHere(device, set, config("stopped", { ...flags, borders: 3 }))).rejects.toThrow(
    /another recipe \(borders 2, now 3\)/,
  );
  expect(existsSync(runPaths(out("whole")).best)).toBe(true);
});
