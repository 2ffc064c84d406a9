import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkDataset } from "../../../src/data/dataset/check-dataset.ts";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { loadCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { readMetrics } from "../../../src/experiment/run/metrics-log.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig, type TrainFlags } from "../../../src/experiment/settings/config.ts";
import { unsoundNumber } from "../../../src/inference/checkpoint/sound.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { type Cells, cells, scratchFolder, traceOf, trainHere } from "../../support/training.ts";

const scratch = scratchFolder();
const at = (...names: string[]) => join(scratch.path, ...names);
let device: Device;
let set: Cells;

/** A tiny U-Net: five images in batches of two, so that an epoch ends with one image alone. */
const config = (name: string, flags: TrainFlags = {}) =>
  resolveConfig({
    ...{ data: at("cells"), model: "unet", width: 2, size: "32", batchSize: 2, lr: 1e-3, workers: 0, epochs: 3 },
    ...{ resume: "auto", out: at(name) },
    ...flags,
  });

const stepsOf = (name: string) =>
  [...readMetrics(runPaths(at(name)).metrics)].filter(({ kind }) => kind === "train").map(({ step }) => step);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const noted = () => {
  const notes: string[] = [];
  return { notes, observer: { note: (text: string) => void notes.push(text), step() {}, validated() {} } };
};

beforeAll(async () => {
  device = await openDevice();
  set = await cells(at("cells"), 5, 2);
  await trainHere(device, set, config("whole"));
});
afterAll(() => {
  device.close();
  scratch.remove();
});

test("an image that is left alone is trained on where no norm sees one value, also with one image a step", async () => {
  const { notes, observer } = noted();
  expect(await trainHere(device, set, config("noted"), { observer })).toMatchObject({ steps: 9, finished: true });
  expect(notes.join("\n")).not.toContain("left out");
  expect(stepsOf("whole")).toEqual(upTo(9));
  // At half the size the deepest map is one pixel: there the rest is left out, and said.
  const small = noted();
  expect(await trainHere(device, set, config("small", { size: "16" }), { observer: small.observer })).toMatchObject({
    steps: 6,
  });
  expect(small.notes.join("\n")).toMatch(/one image \(.*\) is left out of each epoch/);
  const alone = await trainHere(device, set, config("alone", { batchSize: 1, epochs: 1 }));
  expect(alone).toMatchObject({ steps: 5, finished: true });
  await expect(trainHere(device, set, config("pooled", { batchSize: 1, model: "pspnet", width: 4 }))).rejects.toThrow(
    /at least 2 images \(batch size 1, 5 training images\): pyramid\.0\.\S+ sees one value a channel/,
  );
});

test("a damaged last state is said and set aside, and the run goes on from the one before to the same bytes", async () => {
  await trainHere(device, set, config("damaged"), { stopAt: 8 });
  const { last, previous, checkpoints } = runPaths(at("damaged"));
  expect((await loadCheckpoint(previous)).facts.progress.step).toBe(6);
  const bytes = readFileSync(last);
  bytes[bytes.length - 5] = 64 ^ (bytes[bytes.length - 5] ?? 0);
  writeFileSync(last, bytes);
  const { notes, observer } = noted();
  expect(await trainHere(device, set, config("damaged"), { observer })).toMatchObject({ steps: 9, finished: true });
  expect(notes[0]).toBe(
    `${last} is damaged: its checksum does not match its contents; use another checkpoint: going on from the state ` +
      "before it, of step 6",
  );
  expect(notes).toContain(`the damaged ${last} is kept as ${join(checkpoints, "last.damaged.safetensors")}`);
  expect(traceOf(at("damaged"))).toEqual(traceOf(at("whole")));
  expect(readFileSync(join(at("damaged"), "metrics.cut-6.jsonl"), "utf8")).toMatch(/"step":7.*\n.*"step":8.*\n$/);
  for (const path of [last, previous]) writeFileSync(path, bytes);
  await expect(trainHere(device, set, config("damaged"))).rejects.toThrow(`${previous} is damaged`);
});

test("numbers beyond all use are never kept, and the message says what is left", async () => {
  const wild = config("wild", { lr: 1e30 });
  await expect(trainHere(device, set, wild)).rejects.toThrow(
    /^after step 3 the network's numbers are beyond all use \(\S+ holds \S+\): lower --lr or set --clip-norm; no checkpoint/,
  );
  expect(readdirSync(runPaths(at("wild")).checkpoints)).toEqual([]);

  // From a state that was sound: last and best stay as they were.
  await trainHere(device, set, config("sound", { epochs: 1 }));
  const before = traceOf(at("sound"));
  const { checkpoint, table } = await stateOf("sound");
  expect(unsoundNumber(table, checkpoint.tensors)).toBeNull();
  const recipe = readFileSync(runPaths(at("sound")).config, "utf8");
  expect(recipe).not.toContain("stealLock");
  const [name = "", tensor] = [...checkpoint.tensors].find(([key]) => key.endsWith("weight")) ?? [];
  if (!tensor) throw new Error("there is no weight");
  for (const value of [1e7, Number.NaN, Number.POSITIVE_INFINITY]) {
    const bytes = tensor.bytes.slice();
    new DataView(bytes.buffer).setFloat32(4, value, true);
    const spoilt = new Map([...checkpoint.tensors, [name, { ...tensor, bytes }]]);
    expect(unsoundNumber(table, spoilt)).toBe(`${name} holds ${value}`);
  }
  expect(traceOf(at("sound"))).toEqual(before);
});

test("no state is kept while steps are skipped, and a run that ends so says what is left", async () => {
  const [mean, std] = [[0.5, 0.5, 0.5] as const, [1e-40, 1e-40, 1e-40] as const]; // no pixel stays finite
  const { notes, observer } = noted();
  const skipping = trainHere(device, { ...set, statistics: { mean, std } }, config("skipping", { epochs: 2 }), {
    observer,
  });
  await expect(skipping).rejects.toThrow(
    /^6 steps in a row had a loss or gradients that are not finite, the last on .*; no checkpoint has been written$/,
  );
  expect(notes).toContain("step 3 was skipped: no checkpoint is written before a step counts again");
  expect(readdirSync(runPaths(at("skipping")).checkpoints)).toEqual([]);
});

async function stateOf(name: string) {
  const checkpoint = await loadCheckpoint(runPaths(at(name)).last);
  return { checkpoint, table: traceNetwork(checkpoint.facts.config, { mode: "eval", batch: 2 }).build.parameters };
}

test("a run on changed data is refused, or goes on when told to, with every step once", async () => {
  await trainHere(device, set, config("changed"), { stopAt: 5 });
  const folder = at("fewer");
  cpSync(at("cells"), folder, { recursive: true });
  for (const i of [0, 1]) {
    rmSync(join(folder, "train", `train-000${i}.png`));
    rmSync(join(folder, "mask", `train-000${i}.png`));
  }
  const dataset = await checkDataset(await openDataset(folder), ["train", "val"], { indexFile: `${folder}.index` });
  if (!dataset.statistics) throw new Error("the set has no statistics");
  const fewer = { dataset, statistics: dataset.statistics };
  const before = traceOf(at("changed"));
  await expect(trainHere(device, fewer, config("changed"))).rejects.toThrow("train/train-0000.png is gone");
  expect(traceOf(at("changed"))).toEqual(before);
  const { notes, observer } = noted();
  const accepted = config("changed", { acceptChangedData: true });
  // Three images: two steps an epoch, and five steps are done.
  expect(await trainHere(device, fewer, accepted, { observer })).toMatchObject({ steps: 6, finished: true });
  expect(stepsOf("changed")).toEqual(upTo(6));
  expect(notes).toContain("an epoch has 2 steps now: step 6 is in epoch 3");
  expect(notes.some((text) => text.includes("accepted; images stay normalised as before"))).toBe(true);
  const { facts } = await loadCheckpoint(runPaths(at("changed")).last);
  expect([facts.mean, facts.std]).toEqual([set.statistics.mean, set.statistics.std]);
  // From now on the data are these.
  expect(await trainHere(device, fewer, config("changed"))).toMatchObject({ steps: 6, finished: true });
});
