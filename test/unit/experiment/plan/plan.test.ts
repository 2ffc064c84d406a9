import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Fingerprint } from "../../../../src/experiment/plan/fingerprint.ts";
import { makePlan, type PlanInput, planFlags } from "../../../../src/experiment/plan/plan.ts";
import { planMemory } from "../../../../src/experiment/plan/plan-data.ts";
import { fingerprintLines, planYaml } from "../../../../src/experiment/plan/plan-file.ts";
import { resolveConfig, type TrainField, type TrainFlags } from "../../../../src/experiment/settings/config.ts";
import { parseConfig } from "../../../../src/experiment/settings/config-file.ts";

const IMAGES = Array.from({ length: 40 }, () => ({ width: 1000, height: 800 }));

/** Forty images, each with ten objects of 6 pixels across. */
const SPECKS: Fingerprint = {
  name: "specks",
  folder: "specks",
  images: IMAGES,
  validation: 10,
  spacings: [],
  classes: [
    { name: "background", share: 0.99, images: 40 },
    { name: "speck", share: 0.01, images: 40 },
  ],
  objects: IMAGES.flatMap((_, image) => Array.from({ length: 10 }, () => ({ pixels: 28, image }))),
  intensities: { mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
};

/** A network whose step takes 1 KiB a pixel. */
const perPixel: PlanInput["needs"] = ({ size }, batch) => 1024 * size.width * size.height * batch;

function plan(flags: TrainFlags = {}, fingerprint: Fingerprint = SPECKS, bytes = 2 ** 40) {
  const config = resolveConfig({ data: "specks", out: "-", ...flags });
  const given = new Set(Object.keys(flags) as TrainField[]);
  return makePlan({ fingerprint, config, given, memory: { bytes, source: "a test" }, needs: perPixel });
}

const settings = (flags?: TrainFlags, fingerprint?: Fingerprint, bytes?: number) =>
  planFlags(plan(flags, fingerprint, bytes));

test("small objects in large images: patches at their own resolution, aimed at objects", () => {
  expect(settings()).toEqual({
    encoder: "mini",
    width: 16,
    size: 512,
    patches: 3,
    batchSize: 4,
    steps: 3000,
    evalEvery: 5,
    lr: 2e-3,
    foregroundCrops: 0.33,
    augment: ["resize", "flip", "blur", "distortion", "rotation", "elastic"],
    classWeights: [1, 3.15],
    diceWeight: 1,
  });
  const { views, chosen, notes } = plan();
  expect(chosen).toMatchObject({ kind: "patches", smallestTenth: 28, bytes: 2 * 2 ** 28 });
  expect(views.map(({ kind, size }) => `${kind} ${size.width}`)).toEqual([
    "whole 512",
    "whole 256",
    "whole 128",
    "patches 512",
  ]);
  expect(notes).toEqual([]);
});

test("large objects: whole images, no crops aimed", () => {
  const large = { ...SPECKS, objects: SPECKS.objects.map(({ image }) => ({ image, pixels: 20_000 })) };
  expect(settings({}, large)).toMatchObject({ size: 512, patches: 0, batchSize: 4, steps: 2000, foregroundCrops: 0 });
});

test("memory decides size and batch, and where nothing fits that is said", () => {
  // 2 images of 128x128 and a quarter more are 40 MiB; of 160x160 62.5 MiB.
  expect(settings({}, SPECKS, 62 * 2 ** 20)).toMatchObject({ size: 128, batchSize: 3, patches: 49 });
  const why = plan({}, SPECKS, 62 * 2 ** 20).choices.find(({ setting }) => setting === "size")?.reason;
  expect(why).toBe("the largest of which a step on two images fits into memory");
  expect(() => plan({}, SPECKS, 2 ** 20)).toThrow(
    "no size from 64 on fits into 1.0 MiB (a test); give more --memory, a smaller --width or another --encoder",
  );
});

test("what is given stands, and decides what follows from it", () => {
  const given = { size: "128", batchSize: 6, steps: 70, width: 8, encoder: "resnet34", weights: "a.pth", lr: 1e-4 };
  expect(settings(given)).toMatchObject({
    size: 128,
    batchSize: 6,
    steps: 70,
    width: 8,
    encoder: "resnet34",
    lr: 1e-4,
  });
  const { choices } = plan(given);
  const reason = (setting: string) => choices.find((choice) => choice.setting === setting)?.reason;
  expect([reason("steps"), reason("weights"), reason("batchSize")]).toEqual(["as given", "as given", "as given"]);
  expect(settings({ patches: 0 })).toMatchObject({ patches: 0, foregroundCrops: 0 });
  expect(settings({ patches: 7, size: "64" })).toMatchObject({ patches: 7 });
  expect(settings({ epochs: 3 })).not.toHaveProperty("steps");
  expect(settings({ encoder: "resnet18" })).not.toHaveProperty("width");
  expect(settings({ weights: "a.pth" })).toMatchObject({ lr: 5e-5 });
  expect(settings({ loss: "tversky" })).not.toHaveProperty("diceWeight");
  expect(settings({ classes: 4 })).toMatchObject({ classWeights: [1, 3.15, 1, 1] });
});

test("what a network is published with stays: nnU-Net's rate", () => {
  const { choices } = plan({ model: "nnunet" });
  expect(choices.find(({ setting }) => setting === "lr")).toMatchObject({
    value: 1e-2,
    reason: "published with nnunet",
  });
  expect(choices.some(({ setting }) => setting === "encoder")).toBe(false);
});

describe("edges", () => {
  test("one image without objects and without val", () => {
    const one = { ...SPECKS, images: IMAGES.slice(0, 1), objects: [], validation: 0 };
    const { notes, choices } = plan({}, one);
    expect(planFlags({ choices } as ReturnType<typeof plan>)).toMatchObject({
      patches: 4,
      batchSize: 4,
      foregroundCrops: 0,
    });
    expect(notes).toEqual(["there is no val split: no best checkpoint is kept, and nothing tells when to stop"]);
  });

  test("fewer images than a batch are one batch", () => {
    const two = { ...SPECKS, images: IMAGES.slice(0, 2), objects: [{ pixels: 90_000, image: 0 }] };
    expect(settings({ size: "256" }, two)).toMatchObject({ patches: 0, batchSize: 2 });
  });

  test("uneven spacings and a class that no mask holds are said", () => {
    const odd: Fingerprint = {
      ...SPECKS,
      spacings: [
        [0.5, 0.5],
        [1, 1],
      ],
      classes: [...SPECKS.classes, { name: "cyst", share: 0, images: 0 }],
    };
    expect(plan({}, odd).notes).toEqual([
      "pixels are 0.5 to 1 mm wide: equal objects differ in pixels, and no image is resampled to one spacing",
      "only 2 of 40 images say how large their pixels are",
      "no training mask holds the class cyst",
    ]);
    expect(fingerprintLines(plan({}, odd))[0]).toBe(
      "40 training and 10 validation images, 1000 pixels wide (median 1000) and 800 high (median 800), 0.500 to 1.000 mm a pixel",
    );
  });
});

describe("plan.yaml", () => {
  test("is read by --config and trains what the plan trains", () => {
    const made = plan();
    const text = planYaml(made, "specks");
    const read = resolveConfig({ out: "run" }, parseConfig(text, "plan.yaml"));
    expect(read).toEqual(resolveConfig({ data: "specks", out: "run" }, undefined, planFlags(made)));
    expect(Object.keys(parse(text) as object)).toEqual(["data", ...made.choices.map(({ setting }) => setting)]);
  });

  test("has a reason above every setting, and says what is a rule of thumb", () => {
    const lines = planYaml(plan({ steps: 9 }), "specks").split("\n");
    const above = (key: string) => lines[lines.findIndex((line) => line.startsWith(`${key}:`)) - 1];
    expect(above("patches")).toBe(
      "# of whole images the 10 % smallest objects would keep 9.18 pixels of 28 pixels, and 16 are wanted; " +
        "so many of each image show about as many pixels as it has (rule of thumb)",
    );
    expect(above("size")).toBe("# the paper's, which fits");
    expect(above("steps")).toBe("# as given");
    expect(lines).toContain("#   whole images, 128x128: 0.573 pixels");
    expect(lines).toContain("#   patches, 512x512: 28 pixels (chosen)");
  });

  test("edited wrongly it is refused with line and key", () => {
    const text = planYaml(plan(), "specks");
    const line = (key: string) => 1 + text.split("\n").findIndex((one) => one.startsWith(`${key}:`));
    const read = (edited: string) => () => resolveConfig({ out: "run" }, parseConfig(edited, "plan.yaml"));
    expect(read(text.replace("patches: 3", "patch: 3"))).toThrow(
      `plan.yaml line ${line("patches")} (patch): unknown key. Did you mean patches?`,
    );
    expect(read(text.replace("patches: 3", "patches: many"))).toThrow(
      new RegExp(`plan\\.yaml line ${line("patches")} \\(patches\\): "many" does not fit`),
    );
  });

  test("a name with control characters breaks no comment", () => {
    const named = { ...SPECKS, classes: [SPECKS.classes[0], { name: "a\nsize: 64", share: 0.01, images: 40 }] };
    const text = planYaml(plan({}, named as Fingerprint), "specks");
    expect(parse(text)).toMatchObject({ size: 512 });
  });
});

test("memory: given, the software driver's, or assumed, each by its name", () => {
  const room = { gpu: null, host: 2 ** 34, shared: false };
  expect(planMemory(5, room)).toEqual({ bytes: 5, source: "--memory" });
  expect(planMemory(undefined, { gpu: 7, host: 7, shared: true }).bytes).toBe(7);
  expect(planMemory(undefined, room)).toEqual({
    bytes: 2 ** 33,
    source: "assumed, WebGPU does not tell a GPU's memory; --memory says it",
  });
  expect(planMemory(undefined, null).source).toBe("assumed, no GPU answers; --memory says it");
});
