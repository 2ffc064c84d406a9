import { type PixelSize, type Shape, shapeOf, touchesEdge } from "./shape.ts";
import type { MaskObject, Sides } from "./split.ts";

/** How sure a prediction is of each pixel's class; maps `[height, width]`. */
export interface PixelCertainty {
  /** The probability of the class that the pixel has. */
  readonly probability: ArrayLike<number>;
  /** The standard deviation of that probability over views and checkpoints, where there are several. */
  readonly deviation?: ArrayLike<number> | undefined;
}

/** What is known of one object. */
export interface MeasuredObject extends MaskObject {
  /** In pixels. */
  readonly shape: Shape;
  /** In millimetres, where the size of pixels is known. */
  readonly millimetres?: Shape | undefined;
  /** Whether it has pixels at the edge of the image: it may go on outside. */
  readonly edge: boolean;
  /** Mean over its pixels of the probability of its class, 0 to 1. */
  readonly probability?: number | undefined;
  /** Mean over its pixels of the standard deviation of that probability over views and checkpoints, 0 to 0.5. */
  readonly disagreement?: number | undefined;
}

interface MeasureOptions {
  /** Millimetres between columns and between rows. */
  readonly pixelSize?: PixelSize | undefined;
  readonly certainty?: PixelCertainty | undefined;
}

/** Mean of a map over an object's pixels. */
export function meanOver(map: ArrayLike<number>, pixels: readonly number[]): number {
  let sum = 0;
  for (const at of pixels) sum += map[at] ?? 0;
  return sum / pixels.length;
}

/** Measures each object of an image. */
export function measured(
  objects: readonly MaskObject[],
  image: Sides,
  { pixelSize, certainty }: MeasureOptions,
): MeasuredObject[] {
  return objects.map((object) => {
    const { pixels } = object;
    const { probability, deviation } = certainty ?? {};
    return {
      ...object,
      shape: shapeOf(pixels, image.width),
      ...(pixelSize ? { millimetres: shapeOf(pixels, image.width, pixelSize) } : {}),
      edge: touchesEdge(pixels, image),
      ...(probability ? { probability: meanOver(probability, pixels) } : {}),
      ...(deviation ? { disagreement: meanOver(deviation, pixels) } : {}),
    };
  });
}
