import { diameterOf, type Fingerprint, keptPixels, quantile } from "./fingerprint.ts";

/** Sides in pixels. */
interface Sides {
  readonly width: number;
  readonly height: number;
}

/** A decision with its reason in a clause; `thumb`: a rule of thumb that nobody has proven for these data. */
export interface Decision<Value> {
  readonly value: Value;
  readonly reason: string;
  readonly thumb: boolean;
}

/** Pixels at the network's input that the smallest tenth of the objects is to keep: 4 x 4, one cell of a map of a quarter's size. */
export const LEAST_OBJECT = 16;
/** The paper's batch: so many images of this side. */
const PAPER = { batch: 4, side: 512 } as const;
/** A batch has statistics from this on. */
export const LEAST_BATCH = 2;
const MOST_BATCH = 16;
/** Sides of images and patches that are tried, the largest first: multiples of what the networks halve. */
export const SIDES: readonly number[] = [512, 448, 384, 320, 256, 192, 160, 128, 96, 64];
/** Patches that one image gives an epoch, at most. */
const MOST_PATCHES_OF_IMAGE = 64;
/** Times that a run shows every pixel, and the bounds of its steps. */
const PASSES = 100;
const STEPS = { least: 2000, most: 50_000 } as const;
/** Validations in a run. */
const VALIDATIONS = 20;
/** Data sets of fewer images are small: augmentation beyond the paper's. */
const SMALL_SET = 200;
/** Share of the patches that are to show an object, and the least that are placed on one (nnU-Net's third). */
const SHOWN = { share: 0.67, least: 0.33 } as const;
const MOST_WEIGHT = 5;

/** One way to show images to the network. */
export interface View {
  readonly kind: "whole" | "patches";
  readonly size: Sides;
  /** Pixels that an object keeps at the network's input: the tenth of the smallest, and the median; NaN without objects. */
  readonly smallestTenth: number;
  readonly median: number;
  /** Bytes on the GPU of a training step on {@link LEAST_BATCH} images, at the least. */
  readonly bytes: number;
  readonly fits: boolean;
}

/** The view of a fingerprint's objects, without what it costs. */
export function viewOf(
  fingerprint: Pick<Fingerprint, "objects" | "images">,
  kind: View["kind"],
  size: Sides,
): Omit<View, "bytes" | "fits"> {
  const kept = keptPixels(fingerprint, kind === "whole" ? size : undefined);
  return { kind, size, smallestTenth: quantile(kept, 0.1), median: quantile(kept, 0.5) };
}

/** The smallest multiple of 32 that is no less than a length, 64 at the least. */
export const framing = (length: number): number => Math.max(64, 32 * Math.ceil(length / 32));

/**
 * Whole images, unless they take the smallest tenth of the objects below {@link LEAST_OBJECT} pixels and patches keep more.
 * `images` says how many there are: one whole image makes no batch.
 */
export function chooseView(whole: View, patches: View, images: number): Decision<View> {
  const least = pixelsText(LEAST_OBJECT);
  const [kept, native] = [whole.smallestTenth, patches.smallestTenth];
  if (images < LEAST_BATCH) {
    return { value: patches, reason: "one image gives no batch of whole images, its patches do", thumb: false };
  }
  if (Number.isNaN(kept)) {
    return { value: whole, reason: "the training masks hold no object that could vanish", thumb: false };
  }
  if (kept >= LEAST_OBJECT) {
    const reason = `the 10 % smallest objects keep ${pixelsText(kept)} of whole images, ${least} or more are wanted`;
    return { value: whole, reason, thumb: true };
  }
  if (native <= kept) {
    const reason =
      `the 10 % smallest objects have ${pixelsText(native)} at their own size, and patches would keep no more than the ` +
      `${pixelsText(kept)} of whole images`;
    return { value: whole, reason, thumb: false };
  }
  const reason = `of whole images the 10 % smallest objects would keep ${pixelsText(kept)} of ${pixelsText(native)}, and ${LEAST_OBJECT} are wanted`;
  return { value: patches, reason, thumb: true };
}

/** What a patch cuts: a note where the tenth of the largest objects is wider than half of it; undefined where not. */
export function cutObjects(fingerprint: Pick<Fingerprint, "objects" | "images">, view: View): string | undefined {
  const widest = diameterOf(quantile(keptPixels(fingerprint), 0.9));
  const side = Math.min(view.size.width, view.size.height);
  if (view.kind === "whole" || !(2 * widest > side)) return undefined;
  return (
    `the 10 % largest objects are ${Math.round(widest)} pixels wide or more, over half a patch: small and large objects ask for ` +
    "different sizes here, and the small ones decided; compare with whole images (patches: 0)"
  );
}

/** Patches that an image gives an epoch: as many as it takes to cover the median image, and enough for a batch. */
export function patchesOf({ images }: Pick<Fingerprint, "images">, size: Sides, batch: number): Decision<number> {
  const pixels = quantile(
    images.map(({ width, height }) => width * height),
    0.5,
  );
  const cover = Math.round(pixels / (size.width * size.height));
  const value = Math.min(MOST_PATCHES_OF_IMAGE, Math.max(1, cover, Math.ceil(batch / Math.max(1, images.length))));
  return { value, reason: "so many of each image show about as many pixels as it has", thumb: true };
}

/** Images of a batch: as many pixels as the paper's four of 512x512, within 2 and 16 and what memory allows. */
export function batchOf(size: Sides, fits: (batch: number) => boolean): Decision<number> {
  const wanted = Math.round((PAPER.batch * PAPER.side ** 2) / (size.width * size.height));
  const within = Math.min(MOST_BATCH, Math.max(LEAST_BATCH, wanted));
  let value = within;
  while (value > LEAST_BATCH && !fits(value)) value--;
  const reason =
    value < within
      ? `what memory allows of the ${within} that ${within === wanted ? "show as many pixels as the paper's batch" : "are wanted"}`
      : value === wanted
        ? "as many pixels a step as the paper's 4 of 512x512"
        : `nearest to the paper's pixels a step within ${LEAST_BATCH} to ${MOST_BATCH}`;
  return { value, reason, thumb: true };
}

/** An encoder of SvANet and its width. */
export interface EncoderSize {
  readonly encoder: "mini" | "resnet18" | "resnet50";
  readonly width: number;
}

/** Encoders by the number of images that train them from random weights: 1.4, 7.1 and 178 million parameters in all. */
const ENCODERS: readonly (EncoderSize & { readonly below: number })[] = [
  { below: 100, encoder: "mini", width: 16 },
  { below: 1000, encoder: "resnet18", width: 32 },
  { below: Number.POSITIVE_INFINITY, encoder: "resnet50", width: 64 },
];

/** The network that so many images can train from random weights. */
export function encoderOf(images: number): Decision<EncoderSize> {
  const at = ENCODERS.findIndex(({ below }) => images < below);
  const { encoder, width, below } = ENCODERS[at] ?? { encoder: "resnet50", width: 64, below: Number.POSITIVE_INFINITY };
  const from = ENCODERS[at - 1]?.below;
  const open = Number.isFinite(below) ? `${from} to ${below - 1}` : `${from} or more`;
  const range = from === undefined ? `fewer than ${below}` : open;
  const why = Number.isFinite(below) ? "a larger network would learn them by heart" : "the paper's";
  return { value: { encoder, width }, reason: `for ${range} images from random weights: ${why}`, thumb: true };
}

/** Updates of a run in which an epoch has so many. */
export function stepsOf(stepsPerEpoch: number): Decision<number> {
  const wanted = PASSES * stepsPerEpoch;
  const value = Math.min(STEPS.most, Math.max(STEPS.least, wanted));
  const bound = value === wanted ? "" : `, ${value > wanted ? "at least" : "at most"} ${value}`;
  return { value, reason: `${PASSES} passes, as the paper trains${bound}`, thumb: true };
}

/** Epochs between validations. */
export function evalEveryOf(steps: number, stepsPerEpoch: number): Decision<number> {
  const value = Math.max(1, Math.round(steps / stepsPerEpoch / VALIDATIONS));
  const all = Math.max(1, Math.round(steps / stepsPerEpoch / value));
  return { value, reason: all === 1 ? "one validation, at the end" : `about ${all} validations in all`, thumb: true };
}

/**
 * Share of the crops that are placed on an object, jittered within the middle of the crop. Of patches thrown at random, objects
 * lying anywhere, exp(-objects a patch) show none.
 */
export function foregroundOf(
  { objects, images }: Pick<Fingerprint, "objects" | "images">,
  view: View,
): Decision<number> {
  if (view.kind === "whole" || objects.length === 0) {
    const reason = view.kind === "whole" ? "whole images show their objects" : "there is no object to aim at";
    return { value: 0, reason, thumb: false };
  }
  const pixels = images.reduce((sum, { width, height }) => sum + width * height, 0);
  const perPatch = (objects.length * Math.min(view.size.width * view.size.height, pixels / images.length)) / pixels;
  const empty = Math.exp(-perPatch);
  const wanted = empty === 0 ? 0 : (SHOWN.share - (1 - empty)) / empty;
  const value = Math.max(SHOWN.least, Math.round(100 * wanted) / 100);
  const reason = `placed on an object, anywhere in the middle 60 %; at random about ${Math.round(100 * empty)} % of patches would show none`;
  return { value, reason, thumb: true };
}

/** Weights of the classes: the fourth root of how much rarer a class is than the background, at most 5; 1 of a class without pixels. */
export function classWeightsOf(classes: Fingerprint["classes"]): Decision<readonly number[]> {
  const [background] = classes;
  const value = classes.map(({ share }) => {
    if (share === 0 || background === undefined || background.share <= share) return 1;
    return Math.min(MOST_WEIGHT, Math.round(100 * (background.share / share) ** 0.25) / 100);
  });
  const rare = classes.slice(1).map(({ name, share }) => `${name} ${percent(share)}`);
  return { value, reason: `of the pixels are ${rare.join(", ")}`, thumb: true };
}

/** Changes of the training images beside the paper's. */
export function augmentOf(images: number): Decision<readonly "elastic"[]> {
  return images < SMALL_SET
    ? { value: ["elastic"], reason: `fewer than ${SMALL_SET} images: they are bent too, as U-Net's`, thumb: true }
    : { value: [], reason: "the paper's", thumb: false };
}

/** `1 pixel`, `15.6 pixels`, `1012 pixels`: three digits that count, so that 15.6 does not look like the 16 that are wanted. */
export function pixelsText(value: number): string {
  const text = value < 100 ? String(Number(value.toPrecision(3))) : String(Math.round(value));
  return `${text} ${text === "1" ? "pixel" : "pixels"}`;
}

/** `12 %`, `0.031 %`. */
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
