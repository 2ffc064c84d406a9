import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { readInstances } from "../dataset/instance-files.ts";
import type { ByteImage, Size } from "../image/image.ts";

/** The class that pixels between objects are given in training. */
export interface BorderClass {
  /** Its label: the one behind those of the data set. */
  readonly label: number;
  /** How near another object is at such pixels, at the size the network sees; at least 1. */
  readonly pixels: number;
}

/** Samples a pixel of a mask that carries the numbers of its objects: the label, the number's low and its high byte. */
const CARRIED = 3;

/**
 * A mask with the number of each pixel's object behind its label, read from a file of `instances/`: what is done to the mask is then
 * done to the numbers. Throws DataError where the file cannot be read or has another size.
 */
export async function withNumbers(mask: ByteImage, file: string): Promise<ByteImage> {
  const { width, height, data: numbers } = await readInstances(file);
  if (width !== mask.width || height !== mask.height) {
    throw new DataError(
      `${file}: has ${width}x${height} pixels, its mask ${mask.width}x${mask.height}; prepare the set anew`,
    );
  }
  const data = new Uint8Array(CARRIED * mask.data.length);
  for (const [at, label] of mask.data.entries()) {
    const number = numbers[at] ?? 0;
    data.set([label, number & 255, number >> 8], CARRIED * at);
  }
  return { width, height, channels: CARRIED, data };
}

/** The labels `[height, width]` of a mask made by {@link withNumbers}, its objects' borders with {@link BorderClass}'s own. */
export function labelsWithBorders({ width, height, data }: ByteImage, border: BorderClass): Int32Array<ArrayBuffer> {
  const labels = new Int32Array(width * height);
  const numbers = new Int32Array(width * height);
  for (const at of labels.keys()) {
    const label = data[CARRIED * at] ?? 0;
    labels[at] = label;
    // What no source covers is 255 in all three, and objects have no part in the background.
    if (label === 0 || label === IGNORE_LABEL) continue;
    numbers[at] = (data[CARRIED * at + 1] ?? 0) + 256 * (data[CARRIED * at + 2] ?? 0);
  }
  for (const at of borderPlaces(labels, numbers, { width, height }, border.pixels)) labels[at] = border.label;
  return labels;
}

/**
 * The pixels of objects that lie within `pixels` (between centres) of another object of the same class: only where objects touch or
 * nearly do, so that one which stands alone keeps all of its pixels, however small it is. An object that would lose all keeps
 * those which are farthest from the others. `numbers` tells objects apart, 0 is none; maps are `[height, width]`.
 */
export function borderPlaces(
  labels: ArrayLike<number>,
  numbers: ArrayLike<number>,
  image: Size,
  pixels: number,
): number[] {
  const steps = stepsWithin(pixels);
  const near: (readonly [place: number, distance: number])[] = [];
  const farthest = new Map<number, number>();
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] ?? 0;
    if (number === 0) continue;
    const distance = distanceToOther(at, { labels, numbers, image, steps });
    farthest.set(number, Math.max(farthest.get(number) ?? 0, distance));
    if (distance < Number.POSITIVE_INFINITY) near.push([at, distance]);
  }
  return near.filter(([at, distance]) => distance < (farthest.get(numbers[at] ?? 0) ?? 0)).map(([at]) => at);
}

interface Step {
  readonly x: number;
  readonly y: number;
  /** Its length, squared. */
  readonly square: number;
}

/** Steps of at most so many pixels, the shortest first. */
function stepsWithin(pixels: number): readonly Step[] {
  const most = Math.floor(pixels);
  const side = Array.from({ length: 2 * most + 1 }, (_, i) => i - most);
  return side
    .flatMap((y) => side.map((x) => ({ x, y, square: x * x + y * y })))
    .filter(({ square }) => square > 0 && square <= pixels * pixels)
    .sort((one, two) => one.square - two.square);
}

interface Surroundings {
  readonly labels: ArrayLike<number>;
  readonly numbers: ArrayLike<number>;
  readonly image: Size;
  readonly steps: readonly Step[];
}

/** How far, squared, the nearest pixel of another object of the pixel's class is; infinite where none is within the steps. */
function distanceToOther(at: number, { labels, numbers, image, steps }: Surroundings): number {
  const { width, height } = image;
  const column = at % width;
  const row = (at - column) / width;
  for (const { x, y, square } of steps) {
    if (column + x < 0 || column + x >= width || row + y < 0 || row + y >= height) continue;
    const other = at + y * width + x;
    if (numbers[other] !== 0 && numbers[other] !== numbers[at] && labels[other] === labels[at]) return square;
  }
  return Number.POSITIVE_INFINITY;
}
