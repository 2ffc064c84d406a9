import { stringify } from "yaml";
import { z } from "zod";
import { OPTIMIZERS } from "../../autograd/optimizer.ts";
import { SCHEDULE_RATES, SCHEDULES } from "../../autograd/schedule.ts";
import { UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { isRegionLoss } from "../../model/region-losses.ts";
import { DEFAULT_LOSS, LOSSES } from "../../model/supervision.ts";
import { PRESET_NAMES } from "../../model/svanet/config.ts";
import { CLASS_WEIGHTINGS } from "../../training/class-weights.ts";
import type { ConfigFile } from "./config-file.ts";
import { misfit, requireKnownKeys } from "./misfit.ts";
import { SVANET_PARTS } from "./svanet-parts.ts";

/** The random changes a training image goes through, in this order. A crop of the trained size always follows the resize. */
export const PAPER_AUGMENTATIONS = ["resize", "flip", "blur", "distortion", "rotation"] as const;
/** What small data sets may have besides: see `StrongOptions`. */
const AUGMENTATIONS = [...PAPER_AUGMENTATIONS, "strong-colour", "elastic", "scale"] as const;

/** Rate that trains random weights by AdamW. */
const SCRATCH_RATE = 2e-3;

/** The scores that can say which checkpoint is the best: Dice of the foreground classes, or mIoU with the background. */
export const BEST_BY = ["foreground-dice", "miou"] as const;
export type BestBy = (typeof BEST_BY)[number];

const BORDER_RANGE = "expected whole pixels from 1 to 16, or the flag alone, which is 2";
const borderWidth = z.number(BORDER_RANGE).int(BORDER_RANGE).min(1, BORDER_RANGE).max(16, BORDER_RANGE);
const borders = z.union([z.boolean(BORDER_RANGE).transform((on) => (on ? 2 : null)), borderWidth]);

/** Patches of one image an epoch may have. */
export const MOST_PATCHES = 1024;

/** Seeds have 32 bits. */
const MOST_SEED = 0xffffffff;

const count = z.number().int().min(1);
const unit = z.number().min(0).lt(1);

/** `512` is a square, `512x256` is width x height. */
const size = z
  .union([count, z.string().regex(/^[1-9]\d*(x[1-9]\d*)?$/, "expected 512 or 512x256 (width x height)")])
  .transform((value) => {
    const [width = 0, height = width] = String(value).split("x").map(Number);
    return { width, height };
  });

/** Values of pictures of more than 8 bits that are shown black and white. */
const window = z
  .tuple([z.number(), z.number()], "expected two numbers, black and white, such as -160,240")
  .refine(([low, high]) => low < high, "expected the lower value first");

/** A size as flags and files give it. */
export const sizeText = ({ width, height }: z.output<typeof size>): string =>
  width === height ? String(width) : `${width}x${height}`;

/** `none`, `release`, or a weight for every class. */
const classWeighting = z.union([
  z.enum(CLASS_WEIGHTINGS),
  z
    .array(z.number("expected weights of the classes, such as 1,5").min(0))
    .min(2, "expected a weight for every class, the background first, such as 1,5")
    .refine((weights) => weights.some((weight) => weight > 0), "expected a weight above 0"),
]);

/** The images that validations look at: of a split, or none. Of a fold, `val` is the fold itself. */
const JUDGES = ["val", "test", "none"] as const;
export type Judge = (typeof JUDGES)[number];

const FOLD_RANGE =
  "expected a fold and how many there are, such as 2of5, or 2of5by7 where seed 7 shares the images out";
const fold = z.string(FOLD_RANGE).refine((text) => foldOf(text) !== undefined, FOLD_RANGE);

/** A fold as `2of5by7` names it: the second of five, shared out by seed 7; without `by` by seed 0. */
export interface FoldChoice {
  /** From 1. */
  readonly fold: number;
  readonly folds: number;
  readonly seed: number;
}

/** What the text of `fold` names; undefined for what is no fold: there are at least two, and none beyond their number. */
export function foldOf(text: string): FoldChoice | undefined {
  const [whole, ...parts] = /^(\d{1,9})of(\d{1,9})(?:by(\d{1,10}))?$/.exec(text) ?? [];
  const [fold = 0, folds = 0, seed = 0] = parts.map((part) => Number(part ?? 0));
  const isFold = whole !== undefined && fold >= 1 && folds >= 2 && fold <= folds && seed <= MOST_SEED;
  return isFold ? { fold, folds, seed } : undefined;
}

/** {@link foldOf} the other way. */
export const foldText = ({ fold, folds, seed }: FoldChoice): string =>
  `${fold}of${folds}${seed === 0 ? "" : `by${seed}`}`;

/** Whose training a run follows where no flag decides: this program's, the paper's to the letter, or a plan for the data. */
const RECIPES = ["default", "paper", "auto"] as const;

/**
 * Everything a training run is decided by. The defaults are the paper's recipe, but for what `recipe: default` changes. A
 * field's flag is its name in kebab case, in the same order as here.
 */
const trainConfigSchema = z.strictObject({
  data: z.string().min(1),
  out: z.string().min(1),
  recipe: z.enum(RECIPES).default("default"),
  model: z.string().min(1).default("svanet"),
  preset: z.enum(PRESET_NAMES).default("svanet"),
  ...SVANET_PARTS,
  width: count.nullable().default(null),
  ablation: z.string().min(1).nullable().default(null),
  classes: z.number().int().min(2).max(255).nullable().default(null),
  weights: z.string().min(1).nullable().default(null),
  weightsDir: z.string().min(1).nullable().default(null),
  partial: z.boolean().default(false),
  freezeEpochs: z.number().int().min(0).nullable().default(null),
  encoderRate: z.number().positive().default(1),
  layerDecay: z.number().positive().max(1).default(1),
  layerRates: z.record(z.string(), z.number("expected a factor, such as encoder=0.1").min(0)).default({}),
  fold: fold.nullable().default(null),
  judge: z.enum(JUDGES).default("val"),
  window: window.nullable().default(null),
  size: size.default({ width: 512, height: 512 }),
  augment: z.array(z.enum(AUGMENTATIONS)).default([...PAPER_AUGMENTATIONS]),
  foregroundCrops: z.number().min(0).max(1).default(0),
  patches: z.number().int().min(0).max(MOST_PATCHES).default(0),
  borders: borders.nullable().default(null),
  batchSize: count.default(4),
  accumulate: count.default(1),
  amp: z.boolean().default(false),
  checkpointActivations: z.boolean().default(false),
  epochs: count.default(100),
  steps: count.nullable().default(null),
  schedule: z.enum(SCHEDULES).default("paper"),
  lr: z.number().positive().nullable().default(null),
  optimizer: z.enum(OPTIMIZERS).default("adamw"),
  weightDecay: z.number().min(0).default(0.03),
  betas: z.tuple([unit, unit]).default([0.9, 0.999]),
  eps: z.number().positive().default(1e-8),
  momentum: unit.default(0.9),
  clipNorm: z.number().positive().nullable().default(null),
  loss: z.enum([...LOSSES, "published"]).default(DEFAULT_LOSS.kind),
  headWeights: z.array(z.number().min(0)).min(1).nullable().default(null),
  ohemThreshold: z.number().positive().max(1).default(DEFAULT_LOSS.ohemThreshold),
  ohemKept: count.default(DEFAULT_LOSS.ohemKept),
  focalGamma: z.number().min(0).default(DEFAULT_LOSS.focalGamma),
  tverskyAlpha: z.number().positive().default(DEFAULT_LOSS.tverskyAlpha),
  tverskyBeta: z.number().positive().default(DEFAULT_LOSS.tverskyBeta),
  labelSmoothing: unit.default(0),
  classWeights: classWeighting.default("none"),
  diceWeight: z.number().min(0).default(0),
  seed: z.number().int().min(0).max(MOST_SEED).default(0),
  evalEvery: count.default(1),
  bestBy: z.enum(BEST_BY).nullable().default(null),
  patience: count.nullable().default(null),
  checkpointEvery: count.nullable().default(null),
  workers: z.number().int().min(0).nullable().default(null),
  adapter: z.string().min(1).nullable().default(null),
  resume: z.union([z.boolean(), z.literal("auto")]).default(false),
  acceptChangedData: z.boolean().default(false),
  stealLock: z.boolean().default(false),
});

/** Fields that say how one process starts, not what the run trains: no run remembers them. */
export const START_FIELDS = ["resume", "acceptChangedData", "stealLock"] as const satisfies readonly (keyof z.output<
  typeof trainConfigSchema
>)[];

/** A complete configuration: every default filled in. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
export type TrainField = keyof TrainConfig;
/** Values as a flag or a file gives them, not yet checked. */
export type TrainFlags = { readonly [Field in TrainField]?: unknown };

/** What runs had from before these settings existed, where that is no longer the default. */
export const BEFORE_THEY_EXISTED = { bestBy: "miou" } as const satisfies TrainFlags;

/** The fields in the order of the schema. */
export const TRAIN_FIELDS = Object.keys(trainConfigSchema.shape) as TrainField[];

/** The defaults of every field that has one. */
export const TRAIN_DEFAULTS: Omit<TrainConfig, "data" | "out"> = withoutPaths(
  trainConfigSchema.parse({ data: "-", out: "-" }),
);

function withoutPaths({ data: _data, out: _out, ...rest }: TrainConfig): Omit<TrainConfig, "data" | "out"> {
  return rest;
}

/** The names that a field takes, one or several of them; undefined where it takes a number, any text or a switch. */
export function choicesOf(field: TrainField): readonly string[] | undefined {
  let type: z.core.$ZodType = trainConfigSchema.shape[field];
  while (type instanceof z.ZodDefault || type instanceof z.ZodNullable || type instanceof z.ZodArray) {
    type = type.unwrap();
  }
  if (type instanceof z.ZodUnion) type = type.options.find((option) => option instanceof z.ZodEnum) ?? type;
  return type instanceof z.ZodEnum ? type.options.map(String) : undefined;
}

/** The flag of a field: `batchSize` is `--batch-size`. */
export function flagOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * What a network is published to be trained with, where that is part of the network: of nnU-Net its optimizer and loss. All
 * others are compared under the paper's recipe.
 */
const PUBLISHED_RECIPES: Readonly<Record<string, TrainFlags>> = {
  nnunet: {
    optimizer: "sgd",
    schedule: "poly",
    lr: 1e-2,
    momentum: 0.99,
    weightDecay: 3e-5,
    clipNorm: 12,
    diceWeight: 1,
  },
};

/** The networks whose published recipe sets a field, each with its value. */
export function publishedSettings(field: TrainField): (readonly [network: string, value: unknown])[] {
  return Object.entries(PUBLISHED_RECIPES).flatMap(([name, recipe]) =>
    recipe[field] === undefined ? [] : [[name, recipe[field]] as const],
  );
}

/** The recipe of the chosen network, without the Dice that goes beside a cross-entropy where another loss is chosen. */
function publishedRecipe({ model, loss }: Readonly<Record<string, unknown>>): TrainFlags {
  const { diceWeight, ...rest } = PUBLISHED_RECIPES[String(model)] ?? {};
  const isEntropy = !isRegionLoss(String(loss)) && loss !== "tversky";
  return diceWeight === undefined || !isEntropy ? rest : { ...rest, diceWeight };
}

/**
 * The configuration of a run: defaults (the network's own, where it has a recipe), then what was planned for the data
 * set, then the file, then the flags. A value that does not fit is a `UsageError` that names the flag, or the file and
 * its line.
 */
export function resolveConfig(flags: TrainFlags, file?: ConfigFile, plan: TrainFlags = {}): TrainConfig {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  if (file !== undefined) requireKnownKeys(file, TRAIN_FIELDS);
  const chosen: Record<string, unknown> = { ...file?.values, ...given };
  const values: Record<string, unknown> = { ...publishedRecipe(chosen), ...plan, ...chosen };
  const parsed = trainConfigSchema.safeParse(values);
  if (parsed.success) {
    // An explicit null, as runs from before 0.1 wrote it, keeps the schedule's own.
    return "lr" in values ? parsed.data : { ...parsed.data, lr: defaultRate(parsed.data) };
  }
  const sentences = parsed.error.issues.map((issue) => {
    const field = String(issue.path[0] ?? "");
    if (!(field in values)) return `${flagOf(field)} is missing: give the flag, or ${field}: in a --config file`;
    return misfit(field in given ? flagOf(field) : (file?.where(field) ?? field), values, issue);
  });
  throw new UsageError(sentences.join("\n"));
}

/**
 * The highest learning rate where none was given: the schedule's own, which is published; but of the paper's schedule, whose 5e-5
 * fine-tunes a pretrained encoder, one that trains random weights where nothing is loaded.
 */
export function defaultRate({
  recipe,
  schedule,
  weights,
}: Pick<TrainConfig, "recipe" | "schedule" | "weights">): number {
  const own = SCHEDULE_RATES[schedule];
  return recipe === "paper" || weights !== null || own !== SCHEDULE_RATES.paper ? own : SCRATCH_RATE;
}

/**
 * Writes a configuration so that `readConfigFile` and `resolveConfig` give it back, but for {@link START_FIELDS}.
 */
export function writeConfig(path: string, config: TrainConfig): void {
  writeFileAtomic(path, formatConfig(config));
}

/** The text that `writeConfig` writes: what is off, or left to the machine or the data, is no line of it. */
function formatConfig(config: TrainConfig): string {
  const kept = Object.entries(config).filter(
    ([field, value]) => value !== null && !(START_FIELDS as readonly string[]).includes(field),
  );
  return stringify({ ...Object.fromEntries(kept), size: sizeText(config.size) });
}
