import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { EvalFlags } from "../../../src/cli/commands/eval-flags.ts";
import { objectEvaluation, storeSeparation } from "../../../src/cli/commands/eval-objects.ts";
import { encodeGrey16 } from "../../../src/data/codec/png-grey16.ts";
import { writePng } from "../../../src/data/decode.ts";
import { evaluateNative } from "../../../src/experiment/evaluate/native.ts";
import { ObjectEvaluation } from "../../../src/experiment/evaluate/object-evaluation.ts";
import { readSeparation, SeparationChoice } from "../../../src/experiment/evaluate/separation.ts";
import type { CheckpointFacts } from "../../../src/inference/checkpoint/facts.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of ["val", "mask", "instances"]) mkdirSync(join(folder, name));

const ROWS = ["0000000000000", "0111100011110", "0111111111110", "0111111111110", "0111100011110", "0000000000000"];
const [WIDTH, HEIGHT] = [13, 6];
const labels = Uint8Array.from(ROWS.join(""), Number);
/** Two that touch in column 6, and a third number on pixels that the mask ignores. */
const numbers = Uint16Array.from(labels, (label, at) => (label === 0 ? 0 : at % WIDTH < 6 ? 7 : 9));

async function sample(stem: string, { ignored = -1, numbered = true } = {}) {
  const [image, mask] = [join(folder, "val", `${stem}.png`), join(folder, "mask", `${stem}.png`)];
  const size = { width: WIDTH, height: HEIGHT };
  await writePng(image, { ...size, channels: 3, data: new Uint8Array(3 * WIDTH * HEIGHT) });
  const target = labels.map((label, at) => (at === ignored ? 255 : label));
  await writePng(mask, { ...size, channels: 1, data: target });
  const file = join(folder, "instances", `${stem}.png`);
  if (numbered)
    writeFileSync(file, encodeGrey16(numbers.with(Math.max(0, ignored), ignored < 0 ? 0 : 3), WIDTH, HEIGHT));
  return { stem, image, mask, ...size, labels: [] };
}

/** Predicts the labels themselves, the left half with 0.75. */
const predictor = {
  mask: async () => ({ width: WIDTH, height: HEIGHT, channels: 1, data: labels }) as const,
  find: async () => ({
    mask: await predictor.mask(),
    certainty: { probability: Float32Array.from(labels, (_, at) => (at % WIDTH < 6 ? 0.75 : 0.5)) },
  }),
  plan: () => undefined,
};

const scored = async (samples: Awaited<ReturnType<typeof sample>>[], objects: ObjectEvaluation) =>
  (await evaluateNative({ samples, classes: 2, predictor, objects })).objects;

const CLASSES = ["background", "cell"];

test("touching objects of instances/ are two, of a mask alone one; parting finds both", async () => {
  const [own, bare] = [await sample("own"), await sample("bare", { numbered: false })];
  const whole = await scored([own], new ObjectEvaluation({ classes: CLASSES, depths: [], choose: false }));
  expect(whole).toMatchObject({ truth: "instances", all: { truth: 2, predicted: 1, counts: { bias: -1 } } });
  const parted = await scored([own], new ObjectEvaluation({ classes: CLASSES, depths: [0.5], choose: false }));
  expect(parted).toMatchObject({ all: { truth: 2, predicted: 2, rq: 100, counts: { bias: 0 } } });
  expect(parted?.all.overlaps[0]).toMatchObject({ matched: 2, cocoAp: expect.closeTo(100, 9) });
  const components = await scored([bare], new ObjectEvaluation({ classes: CLASSES, depths: [0.5], choose: false }));
  expect(components).toMatchObject({ truth: "components", all: { truth: 1, predicted: 2 } });
  const mixed = await scored([own, bare], new ObjectEvaluation({ classes: CLASSES, depths: [], choose: false }));
  expect(mixed?.truth).toBe("mixed");
});

test("ignored pixels are in no object, on either side", async () => {
  const one = await sample("ignored", { ignored: 14 });
  const objects = await scored([one], new ObjectEvaluation({ classes: CLASSES, depths: [0.5], choose: false }));
  expect(objects?.all).toMatchObject({ truth: 2, predicted: 2 });
  expect(objects?.images[0]?.overlaps.slice(0, 2).map(({ iou }) => iou > 0.8)).toEqual([true, true]);
});

test("the depth of the best panoptic quality on val is stored and read again", async () => {
  const samples = [await sample("a"), await sample("b")];
  const flags: EvalFlags = { split: "val", overlays: 0, roc: false, chooseSeparate: true };
  const facts = { classes: CLASSES, config: { classes: 2 } } as unknown as CheckpointFacts;
  const work = { path: join(folder, "best.safetensors"), data: folder, flags, facts, samples };
  const objects = objectEvaluation(work);
  if (objects === undefined) throw new Error("nothing compares objects");
  await scored(samples, objects);
  expect(objects.choice?.rules()).toMatchObject([
    { class: 1, name: "cell", depth: 0.5, pq: { before: expect.any(Number) } },
  ]);
  storeSeparation(work, objects);
  expect(readSeparation(folder, 2)).toEqual([0.5]);
  expect(() => readSeparation(folder, 1)).toThrow("the rules are for more than the 1 classes of this network");
  writeFileSync(join(folder, "separate.json"), "{");
  expect(() => readSeparation(folder, 2)).toThrow("separate.json: the file is damaged; choose the rules anew");
  expect(readSeparation(join(folder, "val"), 2)).toBeUndefined();
});

test("without a numbered object nothing can be chosen, and without objects nothing is", async () => {
  const samples = [await sample("alone", { numbered: false })];
  const facts = { classes: CLASSES, config: { classes: 2 } } as unknown as CheckpointFacts;
  const work = { path: folder, data: "set", facts, samples };
  const flags: EvalFlags = { split: "val", overlays: 0, roc: false, chooseSeparate: true };
  expect(() => objectEvaluation({ ...work, flags })).toThrow(
    "--choose-separate: set has no single objects in instances/",
  );
  expect(objectEvaluation({ ...work, flags: { ...flags, at: "trained" } })).toBeUndefined();
  const choice = new SeparationChoice(CLASSES);
  expect(choice.rules()).toMatchObject([{ depth: null, pq: { before: null, after: null } }]);
});
