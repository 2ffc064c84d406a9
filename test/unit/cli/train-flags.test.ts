import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, describe, expect, it as test } from "vitest";
import { stringify } from "yaml";
import { addTrainOptions, trainConfigFrom } from "../../../src/cli/options.ts";
import { TRAIN_OPTIONS } from "../../../src/cli/train-options.ts";
import {
  choicesOf,
  defaultRate,
  flagOf,
  sizeText,
  TRAIN_DEFAULTS,
  TRAIN_FIELDS,
  type TrainConfig,
  type TrainField,
} from "../../../src/experiment/settings/config.ts";
import {
  augmentOptions,
  bestByOf,
  frozenEpochs,
  networkConfig,
  networkFor,
  trainerOptions,
  windowOf,
} from "../../../src/experiment/settings/recipe.ts";
import { Timetable } from "../../../src/experiment/train/timetable.ts";
import { trainSamples } from "../../../src/experiment/train/train-input.ts";
import { CHECKPOINTS } from "../../../src/kernels/passes/recompute.ts";
import { DEFAULT_TARGET } from "../../../src/kernels/target.ts";
import type { SvanetConfig } from "../../../src/model/svanet/config.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";
import { classWeights } from "../../../src/training/class-weights.ts";
import { rateFactors } from "../../../src/training/rates.ts";
import { trainingTrace } from "../../../src/training/training-trace.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-flags-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The configuration of a command line as `svanet train` reads it. */
function configFrom(words: readonly string[]): TrainConfig {
  const command = addTrainOptions(new Command()).exitOverride();
  return trainConfigFrom(command.parse([...words], { from: "user" }).opts());
}

const FOLDERS = ["--data", "d", "--out", "o"];

/** A field's flag with the text of its sample. */
function flagWith(field: TrainField): string[] {
  const [text] = TRAIN_OPTIONS[field].sample;
  return text === "" ? [flagOf(field)] : [flagOf(field), text];
}

const sampleValue = (field: TrainField): unknown => TRAIN_OPTIONS[field].sample[1];

/** The value as a person writes it into a file. */
const written = (field: TrainField): unknown =>
  field === "size" ? sizeText(TRAIN_OPTIONS.size.sample[1]) : sampleValue(field);

/** Fields that the default of `--lr` goes by. */
const DECIDE_RATE: readonly TrainField[] = ["recipe", "weights", "schedule"];

describe.each(TRAIN_FIELDS)("%s", (field) => {
  const rest = FOLDERS.filter((_, i) => FOLDERS[i - (i % 2)] !== flagOf(field));

  test("is reached by its flag, which changes no other field", () => {
    const before = configFrom(FOLDERS);
    const after = configFrom([...rest, ...flagWith(field)]);
    const rate = DECIDE_RATE.includes(field) ? { lr: defaultRate(after) } : {};
    expect(after).toEqual({ ...before, ...rate, [field]: sampleValue(field) });
    expect(after[field]).not.toEqual({ ...TRAIN_DEFAULTS, data: "d", out: "o" }[field]);
  });

  test("is reached by its key in a --config file", () => {
    const path = join(folder, `${field}.yaml`);
    writeFileSync(path, stringify({ [field]: written(field) }));
    const config = configFrom([...rest, "--config", path]);
    const rate = DECIDE_RATE.includes(field) ? { lr: defaultRate(config) } : {};
    expect(config).toEqual({ ...configFrom(FOLDERS), ...rate, [field]: sampleValue(field) });
  });

  test("takes the names that the help lists, and only those", () => {
    const choices = choicesOf(field);
    const help = addTrainOptions(new Command(), [field]).helpInformation().replace(/\s+/g, " ");
    expect(help).toContain(`${flagOf(field)} ${TRAIN_OPTIONS[field].argument}`.trim());
    if (choices === undefined) return;
    expect(help).toContain(`: ${choices.join(" | ")} (default: `);
    for (const name of choices) expect([configFrom([...rest, flagOf(field), name])[field]].flat()).toEqual([name]);
    expect(() => configFrom([...rest, flagOf(field), "nonsense"])).toThrow(`${flagOf(field)}: "nonsense" does not fit`);
  });
});

/** Images of the data set that the timetables below stand on. */
const IMAGES = 24;

/** A data set of one image, as far as an epoch looks at it. */
const ONE_IMAGE = {
  splits: { train: [{ stem: "a", image: "a.png", mask: "a.png", width: 8, height: 8, labels: [] }] },
};

const timetable = (config: TrainConfig) => new Timetable(config, IMAGES, "norm");
const network = (config: TrainConfig) => networkConfig(config, 3);
const svanet = (field: keyof SvanetConfig) => (config: TrainConfig) => (network(config) as SvanetConfig)[field];

/** The calls of an op in a run's training step, by what they are given; `field` of each. */
function calls(op: string, field: string): (config: TrainConfig) => unknown[] {
  return (config) => {
    const { parameters } = traceNetwork(network(config), { mode: "eval", batch: 2 }).build;
    const options = trainerOptions(config, network(config), parameters);
    const settings = { ...options, batch: 2, rates: options.rates(false) };
    const { steps } = trainingTrace(network(config), parameters, DEFAULT_TARGET, settings).graph;
    const values = steps
      .filter((step) => step.op.name === op)
      .map(({ attrs }) => (attrs as Record<string, unknown>)[field]);
    return [...new Set(values)];
  };
}

/** Factors of the learning rate of the tensors whose names begin so. */
function factors(...prefixes: readonly string[]) {
  return (config: TrainConfig): number[][] => {
    const { parameters } = traceNetwork(network(config), { mode: "eval", batch: 2 }).build;
    const factorOf = rateFactors(parameters, config);
    return prefixes.map((prefix) => [
      ...new Set(
        parameters
          .list("weight")
          .filter(({ name }) => name.startsWith(prefix))
          .map(factorOf),
      ),
    ]);
  };
}

/** What a flag's sample decides, seen in what training is made of; another thing without the flag. */
interface Effect {
  /** Flags without which the flag decides nothing. */
  readonly beside?: readonly string[];
  readonly see: (config: TrainConfig) => unknown;
  readonly becomes: unknown;
}

const OHEM = ["--loss", "ohem"];
const SGD = ["--optimizer", "sgd"];
const TVERSKY = ["--loss", "tversky", "--encoder", "mini", "--width", "4", "--size", "64"];

/** Every field: its effect, or why there is none to see without a GPU, files or threads. */
const EFFECTS: { readonly [Field in TrainField]: Effect | string } = {
  data: "the folder that train opens",
  out: "the folder that train writes",
  recipe: { see: (config) => timetable(config).rate(0), becomes: 5e-5 },
  model: { see: (config) => network(config).kind, becomes: "hrnet" },
  preset: { see: svanet("formerAttention"), becomes: "mhsa" },
  encoder: { see: svanet("encoder"), becomes: "mini" },
  neckAttention: { see: svanet("neckAttention"), becomes: "coord" },
  neck: { see: svanet("neck"), becomes: false },
  neckRatio: { see: svanet("neckRatio"), becomes: 0.5 },
  mcSizes: { see: svanet("mcSizes"), becomes: [2, 3] },
  mcShuffle: { see: svanet("mcShuffle"), becomes: false },
  guidance: { see: svanet("guidance"), becomes: false },
  guideBlock: { see: svanet("guideBlock"), becomes: "3x3" },
  linkTap: { see: svanet("linkTap"), becomes: "before" },
  formerLocal: { see: svanet("formerLocal"), becomes: "dense" },
  svMode: { see: svanet("svMode"), becomes: "mean" },
  link: { see: svanet("link"), becomes: "add" },
  formerBefore: { see: svanet("formerBefore"), becomes: false },
  formerAfter: { see: svanet("formerAfter"), becomes: false },
  formerHeads: { beside: ["--preset", "svanet-text"], see: svanet("formerHeads"), becomes: 2 },
  formerGateBefore: { see: svanet("formerGateBefore"), becomes: "cbam" },
  formerGateAfter: { see: svanet("formerGateAfter"), becomes: "se" },
  width: { see: svanet("base"), becomes: 8 },
  ablation: { see: svanet("neckAttention"), becomes: "none" },
  classes: { see: (config) => networkFor(config, { classes: ["a", "b"], folder: "d" }).classes, becomes: 3 },
  weights: { see: (config) => frozenEpochs(config, 100), becomes: 10 },
  weightsDir: "where the file of a published name is looked for",
  partial: "what loading weights forgives",
  acceptChangedData: "what resuming forgives",
  stealLock: "what taking the lock forgives",
  freezeEpochs: { see: (config) => [6, 7].map((epoch) => timetable(config).isFrozen(epoch)), becomes: [true, false] },
  encoderRate: { see: factors("encoder.", "classifier."), becomes: [[0.25], [1]] },
  layerDecay: { see: factors("encoder.stem.", "encoder.stages.3.", "classifier."), becomes: [[0.03125], [0.5], [1]] },
  layerRates: { see: factors("encoder.stem.", "encoder.stages.", "classifier."), becomes: [[0], [1], [10]] },
  fold: "the images of one fold, which the test of svanet cv repeats",
  judge: "the images of validations, which the test of svanet ablate repeats",
  window: { see: windowOf, becomes: { low: -160, high: 240 } },
  size: { see: (config) => [network(config).width, network(config).height], becomes: [256, 128] },
  augment: {
    see: augmentOptions,
    becomes: expect.objectContaining({ scale: false, flip: true, blur: true, colour: false, rotate: false }),
  },
  foregroundCrops: { see: (config) => augmentOptions(config).foregroundCrops, becomes: 0.5 },
  patches: {
    see: (config) => [augmentOptions(config).native, trainSamples(ONE_IMAGE, config).length],
    becomes: [true, 3],
  },
  borders: { see: (config) => networkFor(config, { classes: ["a", "b"], folder: "d" }).classes, becomes: 3 },
  batchSize: { see: (config) => timetable(config).batchesPerEpoch, becomes: 12 },
  accumulate: {
    see: (config) => [timetable(config).duration.stepsPerEpoch, calls("accumulate", "nothing")(config).length],
    becomes: [2, 1],
  },
  checkpointActivations: {
    see: (config) => {
      const { parameters } = traceNetwork(network(config), { mode: "eval", batch: 2 }).build;
      return trainerOptions(config, network(config), parameters).repeat;
    },
    becomes: CHECKPOINTS,
  },
  amp: { see: calls("judgeScaledStep", "clipNorm"), becomes: [null] },
  epochs: { see: (config) => timetable(config).duration.steps, becomes: 120 },
  steps: { see: (config) => timetable(config).duration.steps, becomes: 300 },
  schedule: { see: (config) => timetable(config).rate(50), becomes: expect.closeTo(1e-2 * 0.5 ** 0.9, 12) },
  lr: { see: (config) => timetable(config).rate(0), becomes: 0.004 },
  optimizer: {
    see: (config) => [calls("sgd", "nesterov")(config), calls("adamW", "eps")(config)],
    becomes: [[true], []],
  },
  weightDecay: { see: calls("adamW", "weightDecay"), becomes: [0.01] },
  betas: { see: (config) => ["beta1", "beta2"].flatMap((beta) => calls("adamW", beta)(config)), becomes: [0.8, 0.99] },
  eps: { see: calls("adamW", "eps"), becomes: [1e-6] },
  momentum: { beside: SGD, see: calls("sgd", "momentum"), becomes: [0.5] },
  clipNorm: { see: calls("judgeStep", "clipNorm"), becomes: [3] },
  loss: { see: (config) => calls("hardLabels", "ignoreIndex")(config), becomes: [255] },
  headWeights: {
    beside: ["--model", "pspnet", "--size", "64", "--width", "8"],
    see: calls("scale", "factor"),
    becomes: [0.25],
  },
  ohemThreshold: { beside: OHEM, see: calls("hardLabels", "threshold"), becomes: [0.7] },
  ohemKept: { beside: OHEM, see: calls("hardLabels", "kept"), becomes: [5] },
  focalGamma: { beside: ["--loss", "focal", ...TVERSKY.slice(2)], see: calls("focalLoss", "gamma"), becomes: [3] },
  tverskyAlpha: { beside: TVERSKY, see: calls("softDice", "alpha"), becomes: [0.5] },
  tverskyBeta: { beside: TVERSKY, see: calls("softDice", "beta"), becomes: [0.9] },
  labelSmoothing: { see: calls("crossEntropy", "smoothing"), becomes: [0.1] },
  classWeights: {
    see: (config) => [...classWeights(config.classWeights, Int32Array.of(0, 0, 0, 1), 3)],
    becomes: [1 / Math.log(1.85), 1 / Math.log(1.35), 0].map((weight) => expect.closeTo(weight, 6)),
  },
  diceWeight: { see: calls("scale", "factor"), becomes: expect.arrayContaining([0.5]) },
  seed: "the draws of every step and the first weights, which the tests of a resumed run compare",
  evalEvery: {
    see: (config) => [3, 4].map((epoch) => timetable(config).isValidation({ epoch, indexInEpoch: 5 })),
    becomes: [false, true],
  },
  bestBy: { see: bestByOf, becomes: "miou" },
  patience: {
    see: (config) => [5, 6].map((epoch) => timetable(config).isStale({ epoch, stepInEpoch: 0, bestEpoch: null })),
    becomes: [false, true],
  },
  checkpointEvery: {
    see: (config) => [1, 2].map((indexInEpoch) => timetable(config).isCheckpoint({ epoch: 1, indexInEpoch })),
    becomes: [false, true],
  },
  workers: "the threads that read images",
  adapter: "the GPU that is opened",
  resume: "whether a run folder may hold a run",
};

const SEEN = TRAIN_FIELDS.flatMap((field) => {
  const effect = EFFECTS[field];
  return typeof effect === "string" ? [] : [[field, effect] as const];
});

/** Small, so that a training step is traced quickly; a flag under test stands alone. */
function small(field: TrainField): string[] {
  const pairs = [
    ["--encoder", "mini"],
    ["--width", "4"],
    ["--size", "64"],
  ];
  return pairs.filter(([flag]) => flag !== flagOf(field)).flat();
}

describe("the effect of a flag", () => {
  test.each(SEEN)("%s", (field, { beside, see, becomes }) => {
    const context = [
      ...FOLDERS,
      ...(beside ?? (["model", "preset", "formerHeads"].includes(field) ? [] : small(field))),
    ];
    expect(see(configFrom([...context, ...flagWith(field)]))).toEqual(becomes);
    expect(see(configFrom(context))).not.toEqual(becomes);
  });
});

test("weight decay and clipping are SGD's as well", () => {
  const flags = ["weightDecay", "clipNorm"] as const;
  const config = configFrom([...FOLDERS, ...small("optimizer"), ...SGD, ...flags.flatMap(flagWith)]);
  expect(calls("sgd", "weightDecay")(config)).toEqual([0.01]);
  expect(calls("judgeStep", "clipNorm")(config)).toEqual([3]);
});
