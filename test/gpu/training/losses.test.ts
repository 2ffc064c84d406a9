import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate } from "../../../src/checks/evaluate.ts";
import type { TrainFlags } from "../../../src/experiment/settings/config.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { hardLabels } from "../../../src/kernels/ops/loss/hard-labels.ts";
import { logOdds } from "../../../src/kernels/ops/loss/log-odds.ts";
import { classHead } from "../../../src/model/definition.ts";
import { networkLoss } from "../../../src/model/losses.ts";
import { RegionTargets, regionLoss } from "../../../src/model/region-losses.ts";
import { DEFAULT_LOSS } from "../../../src/model/supervision.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { deviation, noise } from "../../support/numbers.ts";
import { tinyTrainer } from "../../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe("training by another loss than cross-entropy", () => {
  test.each<[model: string, flags: TrainFlags]>([
    ["nnunet", { loss: "structure" }],
    ["nnunet", { loss: "bce-dice" }],
    ["nnunet", { loss: "ohem", ohemKept: 40 }],
    ["pranet-resnet50", { loss: "published" }],
    ["svanet", { loss: "focal", classWeights: [1, 2], encoder: "mini" }],
    ["svanet", { loss: "tversky", encoder: "mini" }],
    ["cfanet", { loss: "published", headWeights: [1, 0.5, 0, 2] }],
    ["unetpp", { loss: "bce-dice", headWeights: [1, 0, 0, 0.5], accumulate: 2 }],
  ])("%s learns with %j", async (model, flags) => {
    const all = { model, width: 8, encoder: null, size: "32", batchSize: 2, lr: 1e-3, ...flags };
    const { submit, destroy } = await tinyTrainer(device, all);
    try {
      const batch = noiseBatch(0, { size: 32, count: 2 });
      batch.labels.fill(255, 0, 100);
      const losses: number[] = [];
      for (let step = 0; step < 6; step++) {
        const report = await submit({ ...batch, index: step });
        expect(report?.skipped).toBe(false);
        losses.push(report?.loss ?? Number.NaN);
      }
      expect(Math.min(...losses.slice(1))).toBeLessThan(losses[0] ?? 0);
    } finally {
      destroy();
    }
  });
});

describe("hard labels", () => {
  /** The odds of label 0 fall with the pixel's own number, so that the hardest pixels are known. */
  const chosen = async (count: number, threshold: number, kept: number, ignored: (pixel: number) => boolean) => {
    const order = noise(count, 4).map((v, i) => 8 * v + i * 1e-6);
    const logits = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 0 : (order[i >> 1] ?? 0)));
    const label = Int32Array.from({ length: count }, (_, i) => (ignored(i) ? 255 : 0));
    const { outputs } = await evaluate(
      device,
      { logits: { shape: [count, 2], data: logits }, label: { shape: [count], data: label } },
      (graph, { logits: x, label: truth }) =>
        x && truth ? graph.apply(hardLabels, { logits: x, label: truth }, { threshold, kept, ignoreIndex: 255 }) : [],
    );
    const got = new Int32Array(outputs[0]?.data.buffer ?? new ArrayBuffer(0));
    const found = [...got.keys()].filter((i) => got[i] === 0);
    const counted = [...order.keys()].filter((i) => !ignored(i));
    return { found, hardest: counted.sort((a, b) => (order[b] ?? 0) - (order[a] ?? 0)) };
  };
  const ascending = (all: readonly number[]) => [...all].sort((a, b) => a - b);

  test.each([1, 700, 4095])("are those of the %i hardest pixels, to the pixel", async (kept) => {
    const { found, hardest } = await chosen(9001, 1e-6, kept, (i) => i % 5 === 0);
    expect(found).toEqual(ascending(hardest.slice(0, kept)));
  });

  test("are more where more are below the threshold, and none where nothing counts", async () => {
    const { found, hardest } = await chosen(3000, 0.5, 10, () => false);
    expect(found).toEqual(ascending(hardest.slice(0, found.length)));
    expect(Math.abs(found.length / 3000 - 0.5)).toBeLessThan(0.05);
    expect((await chosen(50, 0.9, 10, () => true)).found).toEqual([]);
  });
});

test.each(["structure", "bce-dice", "ohem"] as const)(
  "%s of a logit that is no number is none either",
  async (kind) => {
    const logits = { shape: [1, 5, 7, 3], data: noise(105, 2) };
    logits.data[30] = Number.NaN; // the background's
    const label = { shape: [1, 5, 7], data: Int32Array.from({ length: 35 }, (_, i) => i % 3) };
    const weight = { shape: [3], data: new Float32Array(3).fill(1) };
    const { outputs } = await evaluate(device, { logits, label, weight }, (graph, t) => {
      if (!t["logits"] || !t["label"] || !t["weight"]) return [];
      const head = classHead("head", t["logits"]);
      return networkLoss(graph, [head], t["label"], t["weight"], { ...DEFAULT_LOSS, kind });
    });
    expect(outputs[0]?.data[0]).toBeNaN();
  },
);

describe("log-odds", () => {
  test("keep their digits where a class is all but certain", async () => {
    const rows = [
      [90, -40, -41],
      [-40, 90, 89.5],
      [-40, 90, -38],
      [0.001, 0, -0.001],
    ];
    const { outputs } = await evaluate(
      device,
      { logits: { shape: [4, 3], data: Float32Array.from(rows.flat()) } },
      (graph, { logits }) => (logits ? graph.apply(logOdds, { logits }, {}) : []),
    );
    const exact = rows.flatMap(([a = 0, b = 0, c = 0]) => {
      const both = (x: number, y: number) => Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)));
      return [b - both(a, c), c - both(a, b)];
    });
    expect(deviation(outputs[0]?.data, exact)).toBeLessThan(1e-6);
  });

  test("of two classes make the loss of a single foreground map, bit for bit", async () => {
    const pixels = 3 * 9 * 7;
    const two = noise(2 * pixels, 8).map((v) => 9 * v);
    const one = Float32Array.from({ length: pixels }, (_, i) => (two[2 * i + 1] ?? 0) - (two[2 * i] ?? 0));
    const label = Int32Array.from({ length: pixels }, (_, i) => (i % 11 === 0 ? 255 : i % 3 === 0 ? 1 : 0));
    const loss = async (data: Float32Array, classes: number) => {
      const inputs = { logits: { shape: [3, 9, 7, classes], data }, label: { shape: [3, 9, 7], data: label } };
      const { outputs } = await evaluate(device, inputs, (graph, { logits, label: truth }) =>
        logits && truth ? regionLoss(graph, "structure", { logits, label: truth }, new RegionTargets(graph, 255)) : [],
      );
      return outputs[0]?.data[0];
    };
    expect(await loss(two, 2)).toBe(await loss(one, 1));
  });
});
