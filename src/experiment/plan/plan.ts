import { OutOfMemoryError } from "../../errors.ts";
import { binary } from "../../training/fit.ts";
import {
  defaultRate,
  PAPER_AUGMENTATIONS,
  publishedSettings,
  sizeText,
  type TrainConfig,
  type TrainField,
  type TrainFlags,
} from "../settings/config.ts";
import { outputsFor } from "../settings/outputs.ts";
import { type Fingerprint, type FingerprintSummary, quantile, summaryOf } from "./fingerprint.ts";
import {
  augmentOf,
  batchOf,
  chooseView,
  classWeightsOf,
  cutObjects,
  type Decision,
  encoderOf,
  evalEveryOf,
  foregroundOf,
  framing,
  LEAST_BATCH,
  patchesOf,
  SIDES,
  stepsOf,
  type View,
  viewOf,
} from "./rules.ts";

/** Memory that a plan counts on. */
export interface PlanMemory {
  /** Bytes. */
  readonly bytes: number;
  /** Who says so, in a clause. */
  readonly source: string;
}

/** What a plan is made from. */
export interface PlanInput {
  readonly fingerprint: Fingerprint;
  /** The configuration so far, and the fields of it that flags or a file give: these a plan takes as they are. */
  readonly config: TrainConfig;
  readonly given: ReadonlySet<TrainField>;
  readonly memory: PlanMemory;
  /** Bytes that a training step of the configured network needs at the least; null where it takes no image of such a size. */
  readonly needs: (config: TrainConfig, batch: number) => number | null;
}

/** One setting of a plan. */
export interface Choice {
  readonly setting: TrainField;
  readonly value: unknown;
  readonly reason: string;
  /** Decided by a rule of thumb, not by what was measured. */
  readonly ruleOfThumb: boolean;
}

/** A plan for a data set. */
export interface Plan {
  readonly fingerprint: FingerprintSummary;
  readonly memory: PlanMemory;
  /** The ways to show images that were weighed. */
  readonly views: readonly View[];
  readonly chosen: View;
  readonly choices: readonly Choice[];
  /** What should be known beside the choices. */
  readonly notes: readonly string[];
}

/** What a plan may need beyond the least, so that it does fit. */
const RESERVE = 1.25;
/** Sizes of whole images that are shown beside the chosen one: the paper's, and smaller ones that the images have. */
const PAPER_SIDE = 512;
const SMALLER_SIDES = [256, 128] as const;

/** The settings of a plan as flags. */
export const planFlags = ({ choices }: Plan): TrainFlags =>
  Object.fromEntries(choices.map(({ setting, value }) => [setting, value]));

/**
 * Chooses what `svanet train --recipe auto` trains by. What was given stands; every other choice follows from the fingerprint, the
 * memory and what was given. A pure function of its input. Throws OutOfMemoryError where no size fits.
 */
export function makePlan(input: PlanInput): Plan {
  const { fingerprint, memory } = input;
  const draft = new Draft(input);
  planNetwork(draft, fingerprint);
  const chosen = planView(draft, fingerprint);
  const { view, views } = chosen;
  planBatches(draft, fingerprint, chosen);
  planCourse(draft, fingerprint);
  planLoss(draft, fingerprint, view);
  const tight = view.fits
    ? undefined
    : `a step on 2 images of the given size does not fit into ${binary(memory.bytes)}`;
  const notes = [tight, cutObjects(fingerprint, view), ...dataNotes(fingerprint)].filter((note) => note !== undefined);
  return { fingerprint: summaryOf(fingerprint), memory, views, chosen: view, choices: draft.choices(), notes };
}

/** Given fields that say where and how a process runs, not what it trains. */
const ELSEWHERE: readonly TrainField[] = [
  "data",
  "fold",
  "judge",
  "out",
  "recipe",
  "adapter",
  "weightsDir",
  "workers",
  "resume",
  "acceptChangedData",
  "stealLock",
];

/** A configuration on the way: given fields stay, others are decided one after the other. */
class Draft {
  config: TrainConfig;
  readonly #input: PlanInput;
  readonly #choices: Choice[] = [];

  constructor(input: PlanInput) {
    this.config = input.config;
    this.#input = input;
  }

  has(field: TrainField): boolean {
    return this.#input.given.has(field);
  }

  /** Decides a field, unless it was given or the network is published with it. */
  choose<Field extends TrainField>(field: Field, { value, reason, thumb }: Decision<TrainConfig[Field]>): void {
    const isGiven = this.has(field);
    const isPublished = publishedSettings(field).some(([network]) => network === this.config.model);
    if (!isGiven && !isPublished) this.config = { ...this.config, [field]: value };
    const why = isGiven ? "as given" : isPublished ? `published with ${this.config.model}` : reason;
    this.#add(field, why, thumb && !isGiven && !isPublished);
  }

  #add(setting: TrainField, reason: string, ruleOfThumb: boolean): void {
    const { size } = this.config;
    const side = size.width === size.height ? size.width : sizeText(size);
    const value = setting === "size" ? side : this.config[setting];
    this.#choices.push({ setting, value, reason, ruleOfThumb });
  }

  /** Bytes of a training step at a size; null where the network takes no such image. */
  needs(size: View["size"], batch: number): number | null {
    return this.#input.needs({ ...this.config, size }, batch);
  }

  fits(size: View["size"], batch: number): boolean {
    const bytes = this.needs(size, batch);
    return bytes !== null && RESERVE * bytes <= this.#input.memory.bytes;
  }

  get memory(): PlanMemory {
    return this.#input.memory;
  }

  /** What was decided, then what was given beside it. */
  choices(): readonly Choice[] {
    const decided = new Set(this.#choices.map(({ setting }) => setting));
    for (const field of this.#input.given) {
      if (!decided.has(field) && !ELSEWHERE.includes(field)) this.#add(field, "as given", false);
    }
    return this.#choices;
  }
}

/** Encoder and width of a SvANet from random weights; loaded weights and other networks have their own. */
function planNetwork(draft: Draft, { images }: Fingerprint): void {
  const { model, weights, ablation } = draft.config;
  if (model !== "svanet" || weights !== null || ablation !== null) return;
  const { value, ...why } = encoderOf(images.length);
  draft.choose("encoder", { value: value.encoder, ...why });
  // The width goes with the planned encoder: another one keeps its own.
  if (draft.config.encoder === value.encoder || draft.has("width"))
    draft.choose("width", { value: value.width, ...why });
}

/** The largest of the sides that fit, no larger than `most`. Throws OutOfMemoryError where none does. */
function largestSize(draft: Draft, most: number): Decision<View["size"]> {
  if (draft.has("size")) return { value: draft.config.size, reason: "as given", thumb: false };
  const within = SIDES.filter((side) => side <= most);
  const side = within.find((side) => draft.fits({ width: side, height: side }, LEAST_BATCH));
  if (side === undefined) {
    const { bytes, source } = draft.memory;
    throw new OutOfMemoryError(`no size from ${SIDES.at(-1)} on fits into ${binary(bytes)} (${source})`, {
      advice: "give more --memory, a smaller --width or another --encoder",
    });
  }
  const bound = side === SIDES[0] ? "the paper's, which fits" : "as large as the median image";
  const reason = side === within[0] ? bound : "the largest of which a step on two images fits into memory";
  return { value: { width: side, height: side }, reason, thumb: false };
}

/** What {@link planView} found. */
interface ChosenView {
  readonly view: View;
  readonly views: readonly View[];
  /** Why whole images, or why patches. */
  readonly why: Omit<Decision<View>, "value">;
}

/** Weighs the ways to show images and decides the size. */
function planView(draft: Draft, fingerprint: Fingerprint): ChosenView {
  const { images } = fingerprint;
  const costed = (kind: View["kind"], size: View["size"]): View => ({
    ...viewOf(fingerprint, kind, size),
    bytes: draft.needs(size, LEAST_BATCH) ?? Number.NaN,
    fits: draft.fits(size, LEAST_BATCH),
  });
  const longer = quantile(
    images.map(({ width, height }) => Math.max(width, height)),
    0.5,
  );
  const shorter = quantile(
    images.map(({ width, height }) => Math.min(width, height)),
    0.5,
  );
  const sizes = { whole: largestSize(draft, framing(longer)), patches: largestSize(draft, framing(shorter)) };
  const [whole, patches] = [costed("whole", sizes.whole.value), costed("patches", sizes.patches.value)];
  const decision = chooseView(whole, patches, images.length);
  const isForced = draft.has("patches");
  const view = isForced ? (draft.config.patches > 0 ? patches : whole) : decision.value;
  draft.choose("size", sizes[view.kind]);
  const sides = [PAPER_SIDE, ...SMALLER_SIDES.filter((side) => side <= framing(longer))];
  const others = sides.filter((side) => side !== whole.size.width || side !== whole.size.height);
  const shown = others.map((side) => costed("whole", { width: side, height: side }));
  return { view, views: [whole, ...shown, patches], why: { reason: decision.reason, thumb: decision.thumb } };
}

function planBatches(draft: Draft, fingerprint: Fingerprint, { view, why }: ChosenView): void {
  const batch = batchOf(view.size, (size) => draft.fits(view.size, size));
  const patches = patchesOf(fingerprint, view.size, draft.has("batchSize") ? draft.config.batchSize : batch.value);
  if (view.kind === "whole") draft.choose("patches", { ...why, value: 0 });
  else draft.choose("patches", { ...why, value: patches.value, reason: `${why.reason}; ${patches.reason}` });
  const most = fingerprint.images.length * Math.max(1, draft.config.patches);
  const few = { ...batch, value: most, reason: `all ${most} images at once` };
  draft.choose("batchSize", batch.value > most && most >= LEAST_BATCH ? few : batch);
}

/** How long, how fast, and how often it is judged. */
function planCourse(draft: Draft, { images, validation }: Fingerprint): void {
  const { batchSize, patches, accumulate } = draft.config;
  const shown = images.length * Math.max(1, patches);
  const perEpoch = Math.max(1, Math.ceil(Math.ceil(shown / batchSize) / accumulate));
  if (!draft.has("epochs")) draft.choose("steps", stepsOf(perEpoch));
  const steps = draft.config.steps ?? draft.config.epochs * perEpoch;
  if (validation > 0) draft.choose("evalEvery", evalEveryOf(steps, perEpoch));
  const isLoaded = draft.config.weights !== null;
  const reason = isLoaded ? "fine-tunes loaded weights" : "trains random weights by AdamW";
  draft.choose("lr", { value: defaultRate(draft.config), reason, thumb: true });
}

function planLoss(draft: Draft, fingerprint: Fingerprint, view: View): void {
  const { classes, images } = fingerprint;
  draft.choose("foregroundCrops", foregroundOf(fingerprint, view));
  const augment = augmentOf(images.length);
  draft.choose("augment", { ...augment, value: [...PAPER_AUGMENTATIONS, ...augment.value] });
  if (!ENTROPIES.includes(draft.config.loss)) return;
  const weights = classWeightsOf(classes);
  const count = outputsFor(draft.config, Math.max(classes.length, draft.config.classes ?? 0));
  const further = Array.from({ length: count - classes.length }, () => 1);
  draft.choose("classWeights", { ...weights, value: [...weights.value, ...further] });
  draft.choose("diceWeight", { value: 1, reason: "cross-entropy and Dice, as nnU-Net", thumb: true });
}

/** Losses that have a place for weights of the classes and a Dice beside them. */
const ENTROPIES: readonly string[] = ["cross-entropy", "ohem", "focal"];

/** Millimetres a pixel may differ by this factor before it is said. */
const EVEN = 1.5;

function dataNotes({ spacings, images, classes, validation }: Fingerprint): string[] {
  const columns = spacings.map(([column]) => column);
  const [least, most] = [quantile(columns, 0), quantile(columns, 1)];
  const absent = classes.slice(1).filter((one) => one.images === 0);
  return [
    ...(most > EVEN * least
      ? [
          `pixels are ${least} to ${most} mm wide: equal objects differ in pixels, and no image is resampled to one spacing`,
        ]
      : []),
    ...(spacings.length > 0 && spacings.length < images.length
      ? [`only ${spacings.length} of ${images.length} images say how large their pixels are`]
      : []),
    ...absent.map(({ name }) => `no training mask holds the class ${name}`),
    ...(validation === 0 ? ["there is no val split: no best checkpoint is kept, and nothing tells when to stop"] : []),
  ];
}
