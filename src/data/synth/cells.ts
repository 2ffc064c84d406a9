/**
 * Procedural microscopy with exact masks: small bright cells and thin-tailed swimmers on an uneven background. Light falls
 * off, glows and is out of focus by more than an object's contrast, so no threshold on brightness separates them, while each
 * stands out from its own surroundings. Every picture is a pure function of (seed, index, size).
 */
import { mkdir, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { stringify } from "yaml";
import { DataError, UsageError } from "../../errors.ts";
import { type Random, random } from "../../kernels/random.ts";
import type { Pair } from "../augment.ts";
import { writePng } from "../decode.ts";
import { type ByteImage, filled } from "../image.ts";
import type { Rgb } from "../png.ts";
import { Field } from "./field.ts";
import { cell, type Shape, swimmer } from "./shapes.ts";

const between = (walk: Random, low: number, high: number) => low + (high - low) * walk.uniform();
const times = (count: number, act: () => void) => {
  for (let k = 0; k < count; k++) act();
};

/** Smallest and largest picture: below, an object is too small to have a shape; above, nothing was tried. */
export const cellSizes = { least: 48, most: 2048, usual: 128 } as const;

/** Object lengths are given for 128 pixels and grow with the picture, so that shares of the area stay. */
const scaleOf = (side: number) => Math.max(0.6, side / cellSizes.usual);

/** Light: a slope, broad glows and shadows, mottling, and things out of focus that are no objects. */
function paintBackground(field: Field, walk: Random): void {
  const { side } = field;
  const scale = scaleOf(side);
  const anywhere = () => between(walk, -0.1, 1.1) * side;
  const direction = between(walk, 0, 2 * Math.PI);
  const slope = between(walk, 0.04, 0.2);
  const [dx, dy] = [(Math.cos(direction) * slope) / side, (Math.sin(direction) * slope) / side];
  const level = between(walk, 0.2, 0.28);
  field.add(0, 0, 2 * side, (x, y) => level + dx * (x - side / 2) + dy * (y - side / 2));
  times(1 + walk.integer(2), () =>
    field.addCloud(anywhere(), anywhere(), between(walk, 0.12, 0.2) * side, between(walk, 0.16, 0.34)),
  );
  times(2, () => field.addCloud(anywhere(), anywhere(), between(walk, 0.15, 0.3) * side, -between(walk, 0.04, 0.14)));
  field.addMottle(11 * scale, 0.035, () => walk.normal());
  field.addMottle(4 * scale, 0.015, () => walk.normal());
  times(1 + walk.integer(2), () =>
    field.addCloud(anywhere(), anywhere(), between(walk, 7, 12) * scale, between(walk, 0.12, 0.26)),
  );
  times(walk.integer(3), () =>
    field.addRing(anywhere(), anywhere(), between(walk, 7, 14) * scale, between(walk, 1.6, 2.6) * scale, 0.09),
  );
}

function drawShapes(walk: Random, side: number): Shape[] {
  const scale = scaleOf(side);
  const shapes: Shape[] = [];
  const place = (make: (x: number, y: number) => Shape, room: number) => {
    // A few tries to keep objects apart; a crowded picture goes without the rest.
    for (let attempt = 0; attempt < 20; attempt++) {
      const [x, y] = [between(walk, 0.04, 0.96) * side, between(walk, 0.04, 0.96) * side];
      if (shapes.every((other) => Math.hypot(other.x - x, other.y - y) > room + 9 * scale)) {
        shapes.push(make(x, y));
        return;
      }
    }
  };
  const cells = 4 + walk.integer(4);
  const swimmers = 2 + walk.integer(2);
  // One picture in six shows a large cell: over 1 % of its area, where all others stay below.
  if (walk.integer(6) === 0) place((x, y) => cell(walk, x, y, between(walk, 8, 10) * scale), 9 * scale);
  times(swimmers, () => place((x, y) => swimmer(walk, x, y, scale), 9 * scale));
  times(cells, () => place((x, y) => cell(walk, x, y, between(walk, 3.2, 5.6) * scale), 4 * scale));
  return shapes;
}

/** Adds the object's light, a faint dark rim around it, and its exact pixels to the mask. */
function paintShape(field: Field, mask: ByteImage, shape: Shape, contrast: number): void {
  const rim = 3;
  field.add(shape.x, shape.y, shape.reach + 2 * rim, (x, y) => {
    const distance = shape.distance(x, y);
    if (distance <= 0) mask.data[y * field.side + x] = 1;
    const cover = 1 / (1 + Math.exp(distance * 3.2));
    const dark = Math.exp(-((distance - 1.6) ** 2) / rim) * 0.16;
    return contrast * (cover * shape.strength(x, y) - (distance > 0 ? dark : 0));
  });
}

/** From black over a colour of the picture's own to nearly white, a stain or filter as microscopes have. */
function tone(walk: Random): (value: number) => Rgb {
  const warm = between(walk, -0.5, 1);
  const gamma: Rgb = [1.22 - 0.2 * warm, 0.94, 0.86 + 0.14 * warm];
  return (value) => {
    const clipped = Math.min(1, Math.max(0, value));
    return [255 * clipped ** gamma[0], 255 * clipped ** gamma[1], 255 * clipped ** gamma[2]];
  };
}

/** Picture `index` of `seed`: RGB of `size` x `size` pixels and its mask (0 background, 1 cell). */
export function cellPicture(seed: number, index: number, size: number): Pair {
  const walk = random(seed, "cells", index);
  const field = new Field(size);
  const mask = filled({ width: size, height: size }, 1, 0);
  paintBackground(field, walk);
  for (const shape of drawShapes(walk, size)) paintShape(field, mask, shape, between(walk, 0.36, 0.56));
  const colour = tone(walk);
  const data = new Uint8Array(size * size * 3);
  field.values.forEach((value, pixel) => {
    // Photons: brighter places are noisier; the camera adds a little to each colour.
    const lit = value + walk.normal() * (0.01 + 0.018 * Math.sqrt(Math.max(0, value)));
    colour(lit).forEach((byte, channel) => {
      data[3 * pixel + channel] = Math.min(255, Math.max(0, Math.round(byte + 1.5 * walk.normal())));
    });
  });
  return { image: { width: size, height: size, channels: 3, data }, mask };
}

export interface CellsOptions {
  /** Folder to write; it may exist, but only empty. */
  readonly out: string;
  /** Pictures in train/ and val/. */
  readonly train: number;
  readonly val: number;
  /** Side in pixels, 48 to 2048. */
  readonly size: number;
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Validation pictures are numbered from here: they stay the same however many train. */
const firstVal = 1_000_000;

const description = {
  name: "Synthetic cells",
  classes: ["background", "cell"],
  colours: [
    [0, 0, 0],
    [255, 176, 0],
  ],
  modality: "procedural microscopy",
  licence: "CC0-1.0",
};

/** An empty folder to write to, beside `out`: an interrupted run leaves no half a dataset under the name asked for. */
async function startPartial(out: string): Promise<string> {
  const present = await readdir(out).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new DataError(`${out}: cannot be used as a folder (${String(error)}); name a new one`);
  });
  if (present !== undefined && present.length > 0) {
    throw new DataError(`${out}: already holds ${present.length} entries (${present[0]}, ...); name a new folder`);
  }
  const partial = `${path.resolve(out)}.partial`;
  await rm(partial, { recursive: true, force: true });
  for (const folder of ["train", "val", "mask"]) await mkdir(path.join(partial, folder), { recursive: true });
  return partial;
}

/** Takes the place of `out`, which does not exist or is empty. */
async function finishPartial(partial: string, out: string): Promise<void> {
  await rmdir(out).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  });
  await rename(partial, out);
}

/**
 * Writes a dataset folder of procedural microscopy: train/, val/, mask/, dataset.yaml. Throws UsageError for sizes and counts
 * that make no dataset, DataError where `out` is a folder with
 * content. Nothing appears under `out` before everything is written.
 */
export async function writeCells({ out, train, val, size, seed, onProgress }: CellsOptions): Promise<void> {
  const { least, most } = cellSizes;
  if (!Number.isInteger(size) || size < least || size > most) {
    throw new UsageError(`cells: size ${size} is no whole number from ${least} to ${most}`);
  }
  if (!Number.isInteger(train) || !Number.isInteger(val) || train < 1 || val < 1 || train > firstVal) {
    throw new UsageError(`cells: ${train} training and ${val} validation pictures; each split needs 1 to ${firstVal}`);
  }
  const partial = await startPartial(out);
  await writeFile(path.join(partial, "dataset.yaml"), stringify(description));
  const palette = description.colours.map(([r = 0, g = 0, b = 0]): Rgb => [r, g, b]);
  for (let done = 0; done < train + val; done++) {
    const split = done < train ? "train" : "val";
    const number = done < train ? done : done - train;
    const { image, mask } = cellPicture(seed, done < train ? number : firstVal + number, size);
    const name = `${split}-${String(number).padStart(4, "0")}.png`;
    await writePng(path.join(partial, split, name), image);
    await writePng(path.join(partial, "mask", name), mask, palette);
    onProgress?.(done + 1, train + val);
  }
  await finishPartial(partial, out);
}
