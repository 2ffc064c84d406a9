import { expect, test } from "vitest";
import type { CheckedDataset } from "../../../src/data/dataset/check-dataset.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";
import { plannedFlags } from "../../../src/experiment/settings/recipe.ts";
import { planFor, topologyOf } from "../../../src/model/nets/nnunet-plan.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";

const MANY = 1e6;

test.each([
  // Plans that nnU-Net 2 itself wrote: 72 bones in CT slices, and a patch for images of 258 x 318.
  { height: 512, width: 512, classes: 73, patch: [448, 448], batch: 13, stages: 7 },
  { height: 258, width: 318, classes: 2, patch: [320, 320], batch: 32, stages: 7 },
  { height: 512, width: 512, classes: 2, patch: [512, 512], batch: 12, stages: 8 },
  { height: 2000, width: 1500, classes: 2, patch: [576, 448], batch: 13, stages: 7 },
])("$height x $width with $classes classes", ({ height, width, classes, patch, batch, stages }) => {
  const plan = planFor({ height, width, images: MANY, classes });
  expect(plan).toEqual({ height: patch[0], width: patch[1], batch });
  expect(topologyOf(plan.height, plan.width).strides).toHaveLength(stages);
});

test("a batch shows a twentieth of the data at most, halves rounded to the even number, and two images at least", () => {
  const batch = (images: number) => planFor({ height: 64, width: 64, images, classes: 2 }).batch;
  expect([3, 50, 60, 70, 120].map(batch)).toEqual([2, 2, 3, 4, 6]);
});

test("the longer side is halved alone once the shorter one is used up, down to six pixels", () => {
  expect(topologyOf(704, 112).strides).toEqual([[1, 1], ...Array(4).fill([2, 2]), [2, 1], [2, 1]]);
  expect(topologyOf(704, 112).multiple).toEqual([64, 16]);
  expect(topologyOf(7, 22).strides).toEqual([
    [1, 1],
    [1, 2],
  ]);
  expect(topologyOf(7, 7).strides).toEqual([[1, 1]]);
});

test("a patch is a multiple of what its stages need", () => {
  for (const [height, width] of [
    [237, 208],
    [50, 35],
    [1213, 333],
    [4000, 6000],
  ] as const) {
    const plan = planFor({ height, width, images: MANY, classes: 4 });
    const { multiple } = topologyOf(plan.height, plan.width);
    expect([plan.height % multiple[0], plan.width % multiple[1]]).toEqual([0, 0]);
  }
});

const PATHS = { data: "d", out: "o" };
const sample = (height: number, width: number) => ({ height, width });
/** Median 100.5 x 90. */
const DATASET = {
  classes: ["background", "cell"],
  splits: { train: [sample(100, 90), sample(101, 60), sample(99, 90), sample(400, 90)], val: [sample(9, 9)] },
} as unknown as CheckedDataset;

test("nnU-Net's size and batch follow the training images; a flag wins; other networks keep theirs", () => {
  const config = resolveConfig({ ...PATHS, model: "nnunet" });
  const planned = plannedFlags(config, DATASET);
  expect(planned).toEqual({ size: "96x112", batchSize: 2 });
  const settled = resolveConfig({ ...PATHS, model: "nnunet", batchSize: 3 }, undefined, planned);
  expect(settled).toMatchObject({ size: { width: 96, height: 112 }, batchSize: 3, optimizer: "sgd" });
  expect(plannedFlags(resolveConfig({ ...PATHS, model: "unet" }), DATASET)).toEqual({});
});

test("the network has the stages of its size, narrower ones too", () => {
  const flat = fitted(fromZoo("nnunet").config, { classes: 2, height: 96, width: 24, base: 4 });
  expect(flat).toMatchObject({
    features: [4, 8, 16, 32, 64],
    strides: [
      [1, 1],
      [2, 2],
      [2, 2],
      [2, 1],
      [2, 1],
    ],
  });
});
