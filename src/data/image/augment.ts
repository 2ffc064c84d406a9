import type { Random } from "../../kernels/random.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { gaussianBlur } from "./box-blur.ts";
import { brightness, contrast, hue, permuteChannels, saturation } from "./colour.ts";
import { drawForeground, type ForegroundDraws, nativeCrop, padAndCrop } from "./crops.ts";
import { type ByteImage, horizontalFlip, type Picture, type Size } from "./image.ts";
import { resize, resizeNearest } from "./resample.ts";
import { rotateBilinear, rotateNearest } from "./rotate.ts";
import { bend, distortStrongly, drawStrong, type StrongOptions } from "./strong.ts";

/** Which steps run. Cropping to the asked size always does. */
export interface AugmentOptions extends StrongOptions {
  /** Short side drawn from [R/2, 3R/2], R = the crop's short side; off: the short side becomes R. */
  readonly scale: boolean;
  readonly flip: boolean;
  readonly blur: boolean;
  /** Brightness, contrast, saturation, hue, channel order. */
  readonly colour: boolean;
  readonly rotate: boolean;
  /**
   * Share of the crops, 0 (default) to 1, that are placed on an object: a class of the image, then one of its pixels, comes
   * to lie about the middle. Not in the paper; small objects are rarely seen otherwise.
   */
  readonly foregroundCrops?: number;
  /**
   * Cut patches at the image's own resolution (default: off, the image is made as large as the crop first). `scale` then
   * zooms by 0.7 to 1.4.
   */
  readonly native?: boolean;
}

/** What the paper's recipe does. */
export const PAPER_AUGMENTATION: AugmentOptions = { scale: true, flip: true, blur: true, colour: true, rotate: true };

export interface Pair<P extends Picture = Picture> {
  readonly image: P;
  readonly mask: ByteImage;
}

/** A picture of bytes with its mask. */
export type BytePair = Pair<ByteImage>;

/** What the coins and ranges gave for one image; positions are fractions of the free room. */
interface AugmentDraws {
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

const LARGEST_TURN = 10;

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
    degrees: between(-LARGEST_TURN, LARGEST_TURN),
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

function recolour<P extends Picture>(image: P, draws: AugmentDraws): P {
  let out = image;
  if (draws.brightness !== undefined) out = brightness(out, draws.brightness);
  if (draws.contrastEarly !== undefined) out = contrast(out, draws.contrastEarly);
  if (draws.saturation !== undefined) out = saturation(out, draws.saturation);
  if (draws.hue !== undefined) out = hue(out, draws.hue);
  if (draws.contrastLate !== undefined) out = contrast(out, draws.contrastLate);
  if (draws.channels !== undefined) out = permuteChannels(out, draws.channels);
  return out;
}

/** Draws from streams of their own. */
interface FurtherDraws {
  readonly foreground?: ForegroundDraws | undefined;
  readonly strong?: ReturnType<typeof drawStrong> | undefined;
}

/** The crop of exactly `size` that all further steps change: of the resized image, or at its own resolution. */
function framed<P extends Picture>(
  pair: Pair<P>,
  size: Size,
  draws: AugmentDraws,
  options: AugmentOptions,
  foreground: ForegroundDraws | undefined,
): Pair<P> {
  const flipped = ({ image, mask }: Pair<P>): Pair<P> =>
    options.flip && draws.flip ? { image: horizontalFlip(image), mask: horizontalFlip(mask) } : { image, mask };
  if (options.native) return flipped(nativeCrop(pair, size, { ...draws, zooms: options.scale }, foreground));
  const scaled = scaledSize(pair.image, size, options.scale ? draws.shortSide : undefined);
  const resized = { image: resize(pair.image, scaled, "bicubic"), mask: resizeNearest(pair.mask, scaled) };
  return padAndCrop(flipped(resized), size, draws, foreground);
}

/** Applies given draws; see `augment`. */
export function applyAugmentation<P extends Picture>(
  pair: Pair<P>,
  size: Size,
  draws: AugmentDraws,
  options: AugmentOptions,
  { foreground, strong }: FurtherDraws = {},
): Pair<P> {
  let out = framed(pair, size, draws, options, foreground);
  if (options.blur && draws.sigma !== undefined) out = { ...out, image: gaussianBlur(out.image, draws.sigma) };
  if (options.colour) out = { ...out, image: recolour(out.image, draws) };
  if (options.strongColour && strong) out = { ...out, image: distortStrongly(out.image, strong) };
  if (options.rotate) {
    out = {
      image: rotateBilinear(out.image, draws.degrees, 0),
      mask: rotateNearest(out.mask, draws.degrees, IGNORE_LABEL),
    };
  }
  return strong ? bend(out, options, strong) : out;
}

/**
 * The release's augmentation in its order (resize, flip, crop, blur, colour, rotation), every probability and range as
 * published, and {@link StrongOptions} (colour before the rotation, elastic and zoom behind it): a training pair of exactly
 * `size` from an image and its mask of equal sizes, a pure function of its arguments and of where the streams stand. All draws are made first and in a fixed order, whatever is
 * switched off: leaving one step out changes nothing in the others, so ablations of it are paired. Pixels that no
 * source covers are ignored in the mask (255).
 */
export function augment<P extends Picture>(
  pair: Pair<P>,
  size: Size,
  random: Random,
  options: AugmentOptions = PAPER_AUGMENTATION,
  further: { readonly foreground?: Random; readonly strong?: Random } = {},
): Pair<P> {
  const foreground = further.foreground && drawForeground(further.foreground, options.foregroundCrops ?? 0);
  const strong = further.strong && drawStrong(further.strong);
  return applyAugmentation(pair, size, drawAugmentation(random), options, { foreground, strong });
}

/** What evaluation sees: stretched to `size`, aspect ratio not kept; image bicubic with antialiasing, mask nearest. */
export function stretch<P extends Picture>({ image, mask }: Pair<P>, size: Size): Pair<P> {
  return { image: resize(image, size, "bicubic"), mask: resizeNearest(mask, size) };
}
