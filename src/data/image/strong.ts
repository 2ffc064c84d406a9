import type { Random } from "../../kernels/random.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { brightness, contrast, hue, saturation } from "./colour.ts";
import type { ByteImage, Picture } from "./image.ts";
import { GRID, warpBilinear, warpNearest } from "./warp.ts";

/** Changes beyond the paper's, for small data sets. All are off unless asked for. */
export interface StrongOptions {
  /**
   * SimCLR's colour distortion at strength 1 (Chen et al. 2020, arXiv:2002.05709, appendix A): with probability 0.8 brightness,
   * contrast and saturation times a factor of [0.2, 1.8] and hue turned by up to a fifth, in any order; grey with 0.2.
   */
  readonly strongColour?: boolean;
  /**
   * U-Net's elastic deformation (Ronneberger et al. 2015, arXiv:1505.04597): displacements on a grid of 3 x 3, normal with a
   * deviation of 10 pixels in 512, between them bicubic.
   */
  readonly elastic?: boolean;
  /** nnU-Net's scaling (Isensee et al. 2021): with probability 0.2 the crop shrinks or grows by up to 0.7 or 1.4, as likely. */
  readonly zoom?: boolean;
}

/** What the draws for {@link StrongOptions} gave; undefined where a coin left a step out. */
interface StrongDraws {
  readonly jitter:
    | { readonly order: Int32Array; readonly factors: readonly number[]; readonly turn: number }
    | undefined;
  readonly grey: boolean;
  /** Normal, deviation 1: rows of the grid, across then down. */
  readonly grid: Float64Array;
  readonly zoom: number;
}

const DEVIATION = 10 / 512;

/** Draws from a stream of its own, always as many values: what is switched on changes no other draw. */
export function drawStrong(random: Random): StrongDraws {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const jitters = random.uniform() < 0.8;
  const factors = [between(0.2, 1.8), between(0.2, 1.8), between(0.2, 1.8)];
  const turn = between(-0.2, 0.2);
  const order = random.permutation(4);
  const grey = random.uniform() < 0.2;
  const grid = Float64Array.from({ length: 2 * GRID * GRID }, () => random.normal());
  const zooms = random.uniform() < 0.2;
  const shrinks = random.uniform() < 0.5;
  const zoom = shrinks ? between(0.7, 1) : between(1, 1.4);
  return { jitter: jitters ? { order, factors, turn } : undefined, grey, grid, zoom: zooms ? zoom : 1 };
}

/** The colours of an image as {@link StrongOptions.strongColour} distorts them. */
export function distortStrongly<P extends Picture>(image: P, { jitter, grey }: StrongDraws): P {
  const [bright = 1, spread = 1, vivid = 1] = jitter?.factors ?? [];
  const steps = [
    (picture: P) => brightness(picture, bright),
    (picture: P) => contrast(picture, spread),
    (picture: P) => saturation(picture, vivid),
    (picture: P) => hue(picture, jitter?.turn ?? 0),
  ];
  const out = [...(jitter?.order ?? [])].reduce((picture, step) => steps[step]?.(picture) ?? picture, image);
  return grey ? saturation(out, 0) : out;
}

/** A pair bent and zoomed as asked; what comes from outside is black and ignored in the mask. */
export function bend<P extends Picture>(
  { image, mask }: { readonly image: P; readonly mask: ByteImage },
  options: StrongOptions,
  draws: StrongDraws,
): { readonly image: P; readonly mask: ByteImage } {
  const zoom = options.zoom ? draws.zoom : 1;
  if (!options.elastic && zoom === 1) return { image, mask };
  const pixels = DEVIATION * Math.min(image.width, image.height);
  const field = options.elastic ? draws.grid.map((value) => value * pixels) : undefined;
  const warp = { zoom, across: field?.subarray(0, GRID * GRID), down: field?.subarray(GRID * GRID) };
  return { image: warpBilinear(image, warp, 0), mask: warpNearest(mask, warp, IGNORE_LABEL) };
}
