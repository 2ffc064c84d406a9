/**
 * The release's augmentation in its order (resize, flip, crop, blur, colour, rotation), every probability and range as
 * published. All draws are made first and in a fixed order, whatever is switched off: leaving one step out changes
 * nothing in the others, so ablations of it are paired.
 */
import type { Random } from "../kernels/random.ts";
import { brightness, contrast, hue, permuteChannels, saturation } from "./colour.ts";
import { type ByteImage, crop, horizontalFlip, ignoreLabel, pad, type Size } from "./image.ts";
import { gaussianBlur, resize, resizeNearest } from "./resample.ts";
import { rotateBilinear, rotateNearest } from "./rotate.ts";

/** Which steps run. Cropping to the asked size always does. */
export interface AugmentOptions {
  /** Short side drawn from [R/2, 3R/2], R = the crop's short side; off: the short side becomes R. */
  readonly scale: boolean;
  readonly flip: boolean;
  readonly blur: boolean;
  /** Brightness, contrast, saturation, hue, channel order. */
  readonly colour: boolean;
  readonly rotate: boolean;
}

/** All on: what the paper's recipe does. */
export const paperAugmentation: AugmentOptions = { scale: true, flip: true, blur: true, colour: true, rotate: true };

export interface Pair {
  readonly image: ByteImage;
  readonly mask: ByteImage;
}

/** What the coins and ranges gave for one image; positions are fractions of the free room. */
export interface AugmentDraws {
  /** Uniform in [0, 1): place within the range of short sides. */
  readonly shortSide: number;
  readonly flip: boolean;
  readonly cropLeft: number;
  readonly cropTop: number;
  /** Undefined where the coin left the step out; likewise below. Pixels, [0, 1). */
  readonly sigma: number | undefined;
  readonly brightness: number | undefined;
  readonly contrastEarly: number | undefined;
  readonly saturation: number | undefined;
  readonly hue: number | undefined;
  readonly contrastLate: number | undefined;
  readonly channels: Int32Array | undefined;
  /** Degrees counter-clockwise, [-10, 10). */
  readonly degrees: number;
}

const largestTurn = 10;

/** Draws one image's augmentation; always takes the same number of values of the same kinds from `random`. */
export function drawAugmentation(random: Random): AugmentDraws {
  const coin = () => random.uniform() < 0.5;
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const perhaps = <T>(draw: () => T): T | undefined => {
    const wanted = coin();
    const value = draw();
    return wanted ? value : undefined;
  };
  const shortSide = random.uniform();
  const flip = coin();
  const cropLeft = random.uniform();
  const cropTop = random.uniform();
  const sigma = perhaps(() => random.uniform());
  const bright = perhaps(() => between(0.875, 1.125));
  // Contrast runs early or late, never both: one coin for the place, another for whether it happens.
  const early = coin();
  const contrastFactor = perhaps(() => between(0.5, 1.5));
  return {
    shortSide,
    flip,
    cropLeft,
    cropTop,
    sigma,
    brightness: bright,
    contrastEarly: early ? contrastFactor : undefined,
    contrastLate: early ? undefined : contrastFactor,
    saturation: perhaps(() => between(0.5, 1.5)),
    hue: perhaps(() => between(-0.05, 0.05)),
    channels: perhaps(() => random.permutation(3)),
    degrees: between(-largestTurn, largestTurn),
  };
}

/**
 * Short sides to draw from and the long side's cap for a crop: [256, 768] and 1024 for the paper's 512, in proportion for
 * other sizes (the low end a multiple of 4).
 */
export function shortSideRange({ width, height }: Size): { low: number; high: number; cap: number } {
  const short = Math.min(width, height);
  const low = Math.max(4, 4 * Math.round(short / 8));
  return { low, high: Math.max(low, Math.floor(1.5 * short)), cap: 2 * Math.max(width, height) };
}

/** The size an image is stretched to before the crop; `place` in [0, 1) picks the short side, undefined the crop's own. */
export function scaledSize(source: Size, target: Size, place: number | undefined): Size {
  const { low, high, cap } = shortSideRange(target);
  const side = place === undefined ? Math.min(target.width, target.height) : low + Math.floor(place * (high - low + 1));
  const scale = Math.min(side / Math.min(source.width, source.height), cap / Math.max(source.width, source.height));
  const scaled = (length: number) => Math.max(1, Math.trunc(length * scale));
  return { width: scaled(source.width), height: scaled(source.height) };
}

const place = (fraction: number, room: number) => Math.floor(fraction * (room + 1));

/** Missing columns and rows are padded on both sides (255: white, ignored), then a crop is taken at the drawn place. */
function padAndCrop({ image, mask }: Pair, size: Size, draws: AugmentDraws): Pair {
  const columns = Math.max(0, size.width - image.width);
  const rows = Math.max(0, size.height - image.height);
  const border = { left: columns, right: columns, top: rows, bottom: rows };
  const padded = columns + rows > 0;
  const box = {
    ...size,
    left: place(draws.cropLeft, image.width + 2 * columns - size.width),
    top: place(draws.cropTop, image.height + 2 * rows - size.height),
  };
  return {
    image: crop(padded ? pad(image, border, 255) : image, box),
    mask: crop(padded ? pad(mask, border, ignoreLabel) : mask, box),
  };
}

function recolour(image: ByteImage, draws: AugmentDraws): ByteImage {
  let out = image;
  if (draws.brightness !== undefined) out = brightness(out, draws.brightness);
  if (draws.contrastEarly !== undefined) out = contrast(out, draws.contrastEarly);
  if (draws.saturation !== undefined) out = saturation(out, draws.saturation);
  if (draws.hue !== undefined) out = hue(out, draws.hue);
  if (draws.contrastLate !== undefined) out = contrast(out, draws.contrastLate);
  if (draws.channels !== undefined) out = permuteChannels(out, draws.channels);
  return out;
}

/** Applies given draws; see `augment`. */
export function applyAugmentation(pair: Pair, size: Size, draws: AugmentDraws, options: AugmentOptions): Pair {
  const { image, mask } = pair;
  const scaled = scaledSize(image, size, options.scale ? draws.shortSide : undefined);
  let out: Pair = { image: resize(image, scaled, "bicubic"), mask: resizeNearest(mask, scaled) };
  if (options.flip && draws.flip) out = { image: horizontalFlip(out.image), mask: horizontalFlip(out.mask) };
  out = padAndCrop(out, size, draws);
  if (options.blur && draws.sigma !== undefined) out = { ...out, image: gaussianBlur(out.image, draws.sigma) };
  if (options.colour) out = { ...out, image: recolour(out.image, draws) };
  if (!options.rotate) return out;
  return {
    image: rotateBilinear(out.image, draws.degrees, 0),
    mask: rotateNearest(out.mask, draws.degrees, ignoreLabel),
  };
}

/**
 * A training pair of exactly `size` from an image and its mask of equal sizes: a pure function of its arguments and of
 * where `random` stands. Pixels that no source covers are ignored in the mask (255).
 */
export function augment(pair: Pair, size: Size, random: Random, options: AugmentOptions = paperAugmentation): Pair {
  return applyAugmentation(pair, size, drawAugmentation(random), options);
}

/** What evaluation sees: stretched to `size`, aspect ratio not kept; image bicubic with antialiasing, mask nearest. */
export function stretch({ image, mask }: Pair, size: Size): Pair {
  return { image: resize(image, size, "bicubic"), mask: resizeNearest(mask, size) };
}
