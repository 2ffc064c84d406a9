import type { OptimizerOptions } from "../../autograd/optimizer.ts";
import {
  freezeEpochs,
  paperSchedule,
  releaseSchedule,
  SCHEDULE_RATES,
  type Schedule,
} from "../../autograd/schedule.ts";
import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { Window } from "../../data/formats/window.ts";
import { type AugmentOptions, PAPER_AUGMENTATION } from "../../data/image/augment.ts";
import { UsageError } from "../../errors.ts";
import { type Allowance, CHEAP, CHECKPOINTS } from "../../kernels/passes/recompute.ts";
import { weighted } from "../../model/losses.ts";
import type { ParameterTable } from "../../model/parameters.ts";
import { DEFAULT_LOSS, type LossKind, type LossSettings } from "../../model/supervision.ts";
import { ABLATIONS, type AblationName } from "../../model/svanet/ablations.ts";
import type { SvanetConfig } from "../../model/svanet/config.ts";
import { fitted, fromZoo, type NetworkConfig, patchPlan, publishedLoss, traceNetwork } from "../../model/zoo.ts";
import { suggestion } from "../../nearest.ts";
import type { Precision } from "../../training/passes.ts";
import { rateFactors } from "../../training/rates.ts";
import type { TrainerOptions } from "../../training/trainer.ts";
import {
  type BestBy,
  defaultRate,
  flagOf,
  START_FIELDS,
  TRAIN_DEFAULTS,
  type TrainConfig,
  type TrainFlags,
} from "./config.ts";
import { outputsOf } from "./outputs.ts";
import { SVANET_FIELDS } from "./svanet-parts.ts";

/** The network's name in the zoo: SvANet's is that of its preset. */
export function networkName({ model, preset }: Pick<TrainConfig, "model" | "preset">): string {
  return model === "svanet" ? preset : model;
}

/** The network a configuration asks for, for images of so many channels, checked. */
export function networkConfig(config: TrainConfig, classes: number, inChannels = 3): NetworkConfig {
  const own = fromZoo(networkName(config)).config;
  const changed = own.kind === "svanet" ? { ...own, ...svanetChanges(config, own) } : unchanged(own, config);
  if (own.kind === "svanet") checkSize(config);
  const { height, width } = config.size;
  const network = fitted(changed, { classes, height, width, base: config.width ?? undefined, inChannels });
  if (Object.keys(config.layerRates).length > 0) {
    rateFactors(traceNetwork(network, { mode: "eval", batch: 2 }).build.parameters, config);
  }
  return network;
}

/** What the flags of SvANet's parts change in its preset. */
function svanetChanges(config: TrainConfig, { formerAttention }: SvanetConfig): Partial<SvanetConfig> {
  if (config.formerHeads !== null && formerAttention === "separable") {
    throw new UsageError(
      `--former-heads: the attention of ${networkName(config)} is separable and has no heads; --preset svanet-text has`,
    );
  }
  const given = SVANET_FIELDS.filter((field) => config[field] !== null).map((field) => [field, config[field]]);
  return { ...(config.ablation === null ? {} : ablation(config.ablation).changes), ...Object.fromEntries(given) };
}

/** A network without such parts; UsageError when a flag asks for one. */
function unchanged<T>(own: T, config: TrainConfig): T {
  const wrong = (["ablation", ...SVANET_FIELDS] as const).find((field) => config[field] !== null);
  if (wrong === undefined) return own;
  const named = wrong === "encoder" ? "; variants with another encoder have names of their own: svanet models" : "";
  throw new UsageError(`${flagOf(wrong)} is a choice of SvANet, and ${config.model} has none${named}`);
}

/** The network for a data set: its images' channels, its classes and what {@link outputsOf} adds, whose errors it throws. */
export function networkFor(
  config: TrainConfig,
  dataset: Pick<CheckedDataset, "classes" | "folder"> & Partial<Pick<CheckedDataset, "channels">>,
): NetworkConfig {
  return networkConfig(config, outputsOf(config, dataset), dataset.channels?.names.length);
}

/** Size and batch as the network's publication chooses them for a data set, as flags; none where it does not. */
export function plannedFlags(config: TrainConfig, { classes, splits }: CheckedDataset): TrainFlags {
  const images = splits.train ?? [];
  const plan = patchPlan(fromZoo(networkName(config)).config, {
    height: median(images.map(({ height }) => height)),
    width: median(images.map(({ width }) => width)),
    images: images.length,
    classes: config.classes ?? classes.length,
  });
  return plan ? { size: `${plan.width}x${plan.height}`, batchSize: plan.batch } : {};
}

/** The middle one, or halfway between the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(at)] ?? 0) + (sorted[Math.ceil(at)] ?? 0)) / 2;
}

/** The encoder halves the image five times. */
function checkSize({ size: { width, height } }: TrainConfig): void {
  if (width % 32 === 0 && height % 32 === 0) return;
  const below = (side: number) => Math.max(32, Math.floor(side / 32) * 32);
  const above = (side: number) => Math.ceil(side / 32) * 32;
  throw new UsageError(
    `--size ${width}x${height}: the network needs sides that are multiples of 32, such as ` +
      `${below(width)}x${below(height)} or ${above(width)}x${above(height)}`,
  );
}

function ablation(name: string) {
  const names = Object.keys(ABLATIONS);
  if (!(name in ABLATIONS)) throw new UsageError(`--ablation: there is no variant ${name}. ${suggestion(name, names)}`);
  return ABLATIONS[name as AblationName];
}

const PLAIN = ["cross-entropy", "ohem"] as const;
const ENTROPIES = [...PLAIN, "focal"] as const;
/** The losses that have a place for a flag. */
const PLACES = {
  ohemThreshold: ["ohem"],
  ohemKept: ["ohem"],
  focalGamma: ["focal"],
  tverskyAlpha: ["tversky"],
  tverskyBeta: ["tversky"],
  labelSmoothing: PLAIN,
  classWeights: ENTROPIES,
  diceWeight: ENTROPIES,
} as const satisfies { readonly [Field in keyof TrainConfig]?: readonly LossKind[] };

/** The loss a network is trained with. UsageError where flags ask for what it has no place for. */
export function lossSettings(config: TrainConfig, network: NetworkConfig): LossSettings {
  const published = publishedLoss(network);
  const kind = config.loss === "published" ? (published.kind ?? DEFAULT_LOSS.kind) : config.loss;
  requirePlace(config, kind);
  const { headWeights, ohemThreshold, ohemKept, focalGamma, tverskyAlpha, tverskyBeta } = config;
  const { labelSmoothing: smoothing, diceWeight: dice } = config;
  if (headWeights !== null) weighted(traceNetwork(network, { mode: "train", batch: 2 }).heads, headWeights);
  const own = { headWeights, ohemThreshold, ohemKept, focalGamma, tverskyAlpha, tverskyBeta, smoothing, dice };
  return { ...DEFAULT_LOSS, ...published, kind, ...own };
}

/** How a network with these parameters is trained. UsageError as {@link lossSettings} and {@link rateFactors} throw it. */
export function trainerOptions(config: TrainConfig, network: NetworkConfig, table: ParameterTable): TrainerOptions {
  const { weightDecay, clipNorm, betas, eps, momentum, accumulate, classWeights } = config;
  const optimizer: OptimizerOptions =
    config.optimizer === "adamw"
      ? { kind: "adamw", betas, eps, weightDecay, clipNorm }
      : { kind: "sgd", momentum, nesterov: true, weightDecay, clipNorm };
  // Factors that fit no parameter are refused now, not at the first step.
  rateFactors(table, config);
  return {
    loss: lossSettings(config, network),
    optimizer,
    classWeights,
    accumulate,
    precision: precisionOf(config),
    repeat: repeatOf(config),
    rates: (frozen) => rateFactors(table, config, frozen),
  };
}

/** What a training step may compute twice. */
export function repeatOf({ checkpointActivations }: Pick<TrainConfig, "checkpointActivations">): Allowance {
  return checkpointActivations ? CHECKPOINTS : CHEAP;
}

/** How a run stores activations. */
export const precisionOf = ({ amp }: Pick<TrainConfig, "amp">): Precision => (amp ? "f16" : "f32");

function requirePlace(config: TrainConfig, kind: LossKind): void {
  const fields = Object.keys(PLACES) as (keyof typeof PLACES)[];
  const foreign = fields.filter((field) => !(PLACES[field] as readonly LossKind[]).includes(kind));
  const wrong = foreign.find((field) => config[field] !== TRAIN_DEFAULTS[field]);
  if (wrong === undefined) return;
  const chosen = config.loss === "published" ? `published (${kind} for ${networkName(config)})` : kind;
  const place = PLACES[wrong].join(", ").replace(/, ([^,]*)$/, " or $1");
  throw new UsageError(
    `${flagOf(wrong)} ${config[wrong]} has no place in --loss ${chosen}; leave it out, or choose --loss ${place}`,
  );
}

/** How long a run lasts. `steps` given: as many epochs as they need, the last one cut off. */
export interface Duration {
  readonly epochs: number;
  readonly steps: number;
  readonly stepsPerEpoch: number;
}

/** `perEpoch` counts updates of the weights, so accumulation is already in it. */
export function duration(config: TrainConfig, perEpoch: number): Duration {
  if (config.steps === null) {
    return { epochs: config.epochs, steps: config.epochs * perEpoch, stepsPerEpoch: perEpoch };
  }
  return { epochs: Math.ceil(config.steps / perEpoch), steps: config.steps, stepsPerEpoch: perEpoch };
}

/** The schedule of a run; `--lr` is its peak. */
export function scheduleOf(config: TrainConfig, epochs: number): Schedule {
  const peak = peakRate(config);
  switch (config.schedule) {
    case "paper":
      return paperSchedule(epochs, peak, Math.min(1e-6, peak));
    case "poly":
      return { kind: "poly", epochs, high: peak };
    case "release":
      return releaseSchedule(epochs, config.weights !== null, { high: peak });
    case "constant":
      return { kind: "constant", high: peak };
  }
}

/** Epochs at the start in which the encoder's weights stay as loaded: none unless weights were loaded. */
export function frozenEpochs(config: TrainConfig, epochs: number): number {
  return config.freezeEpochs ?? (config.weights === null ? 0 : freezeEpochs(epochs));
}

/** The highest rate of a run; runs from before there was a default of their own left it to the schedule. */
export const peakRate = ({ lr, schedule }: Pick<TrainConfig, "lr" | "schedule">): number =>
  lr ?? SCHEDULE_RATES[schedule];

/** What is said of the learning rate before a run: the highest, and whose default it is where it is one. */
export function rateLine(config: TrainConfig): string {
  const start = config.weights === null ? "from random weights" : "with --weights";
  const whose = config.recipe === "paper" ? "the paper's" : `the default ${start}`;
  const why = peakRate(config) === defaultRate(config) ? `, ${whose}` : "";
  return `learning rate: at most ${peakRate(config)}${why}`;
}

/** By which score of the validation split the best checkpoint is chosen. */
export const bestByOf = ({ bestBy, recipe }: Pick<TrainConfig, "bestBy" | "recipe">): BestBy =>
  bestBy ?? (recipe === "paper" ? "miou" : "foreground-dice");

/** Whether a network is trained on patches at the images' own resolution, and therefore predicts by tiles. */
export const isNative = ({ patches }: Pick<TrainConfig, "patches">): boolean => patches > 0;

export function augmentOptions(config: TrainConfig): AugmentOptions {
  const on = new Set<string>(config.augment);
  return {
    ...PAPER_AUGMENTATION,
    scale: on.has("resize"),
    flip: on.has("flip"),
    blur: on.has("blur"),
    colour: on.has("distortion"),
    rotate: on.has("rotation"),
    strongColour: on.has("strong-colour"),
    elastic: on.has("elastic"),
    zoom: on.has("scale"),
    foregroundCrops: config.foregroundCrops,
    native: isNative(config),
  };
}

/** What pictures of more than 8 bits are shown through; undefined: what the data set says, else their own percentiles. */
export function windowOf({ window }: Pick<TrainConfig, "window">): Window | undefined {
  return window === null ? undefined : { low: window[0], high: window[1] };
}

/** Fields that say where, how fast and how far a run is computed, not what its steps compute; `recipe` is what they resolve to. */
export const INCIDENTAL = [
  "data",
  "fold",
  "judge",
  "out",
  "recipe",
  "checkpointActivations",
  "workers",
  "adapter",
  "weightsDir",
  "checkpointEvery",
  "patience",
  ...START_FIELDS,
] as const;

/** What the steps of a run compute is decided by: its configuration without what is incidental. */
export function recipeOf(config: TrainConfig): Omit<TrainConfig, (typeof INCIDENTAL)[number]> {
  const rest = Object.entries({ ...config, bestBy: bestByOf(config) }).filter(
    ([name]) => !(INCIDENTAL as readonly string[]).includes(name),
  );
  return Object.fromEntries(rest) as ReturnType<typeof recipeOf>;
}

/** The recipe as text: equal text, data and adapter give equal bits. */
export const recipeText = (config: TrainConfig): string => JSON.stringify(recipeOf(config));
