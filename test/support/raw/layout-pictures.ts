import sharp from "sharp";
import { encodePng } from "../../../src/data/codec/png.ts";
import { tiffBytes } from "./tiff-labels.ts";
import { put } from "./trees.ts";

/** Pictures of the trees below; the names and byte formats are those that the programs write. */
export const [WIDTH, HEIGHT] = [12, 8];
export const SIZE = { width: WIDTH, height: HEIGHT };

/** A box of 4 x 3 pixels at column 2, row 1, and one of 3 x 3 at column 7, row 4. */
export const BOXES = [
  [2, 1, 6, 4],
  [7, 4, 10, 7],
] as const;

/** The pixels of both boxes with a value each. */
export function boxes(first: number, second: number): Uint8Array {
  return Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
    const [x, y] = [at % WIDTH, Math.floor(at / WIDTH)];
    const inside = BOXES.findIndex(([left, top, right, bottom]) => x >= left && x < right && y >= top && y < bottom);
    return [first, second][inside] ?? 0;
  });
}

/** The corners of a box, clockwise. */
export function corners(box: 0 | 1): readonly (readonly [number, number])[] {
  const [left, top, right, bottom] = BOXES[box];
  return [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ];
}

export const text = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value, null, 2));
export const grey = (data: Uint8Array) => encodePng({ ...SIZE, channels: 1, data });
/** A grey picture that differs with `number`. */
export const photo = (number: number) =>
  grey(Uint8Array.from({ length: WIDTH * HEIGHT }, (_, at) => (at * 7 + number * 13) % 251));
export const rgb = (number: number) =>
  encodePng({
    ...SIZE,
    channels: 3,
    data: Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, at) => (at * 5 + number * 17) % 251),
  });
export const jpeg = (number: number) =>
  sharp(Buffer.alloc(3 * WIDTH * HEIGHT, 40 + number * 20), { raw: { ...SIZE, channels: 3 } })
    .jpeg()
    .toBuffer();

/** Writes a text or, of anything else, its JSON. */
export const putText = (root: string, name: string, content: unknown): void => put(root, name, text(content));

/** Label images of `count` objects in one piece each, numbered from 1, 16 bits. */
export function objectLabels(count: number): number[] {
  const labels = new Array<number>(WIDTH * HEIGHT).fill(0);
  for (let object = 0; object < count; object++) {
    const at = (object % 6) * 2 + Math.floor(object / 6) * 2 * WIDTH;
    labels[at] = object + 1;
    labels[at + WIDTH] = object + 1;
  }
  return labels;
}

export const labelTiff = (values: readonly number[], bits: 8 | 16 | 32 = 16) => tiffBytes({ ...SIZE, values, bits });
