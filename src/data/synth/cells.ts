import { type Random, random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { BytePair } from "../image/augment.ts";
import { type ByteImage, filled } from "../image/image.ts";
import { Field } from "./field.ts";
import { cell, type Shape, swimmer } from "./shapes.ts";
import { drawSize, fitScale, type Stratum } from "./stratum.ts";
import type { SynthKind } from "./write.ts";

const between = (walk: Random, low: number, high: number) => low + (high - low) * walk.uniform();
const times = (count: number, act: () => void) => {
  for (let k = 0; k < count; k++) act();
};

/** Smallest and largest picture: below, an object is too small to have a shape; above, nothing was tried. */
const CELL_SIZES = { least: 48, most: 2048, usual: 128 } as const;

/** Object lengths are given for 128 pixels and grow with the picture, so that shares of the area stay. */
const scaleOf = (side: number) => Math.max(0.6, side / CELL_SIZES.usual);

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

/** `zoom` 1: the usual view; above, fewer and larger objects. */
function drawShapes(walk: Random, side: number, zoom = 1): Shape[] {
  const scale = scaleOf(side) * zoom;
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
  const seen = (count: number) => (zoom === 1 ? count : Math.max(1, Math.round(count / zoom)));
  times(zoom > 3 ? 0 : seen(swimmers), () => place((x, y) => swimmer(walk, x, y, scale), 9 * scale));
  times(seen(cells), () => place((x, y) => cell(walk, x, y, between(walk, 3.2, 5.6) * scale), 4 * scale));
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

interface Drawing {
  readonly mask: ByteImage;
  readonly shapes: readonly Shape[];
}

function maskOf(shapes: readonly Shape[], size: number): ByteImage {
  const mask = filled({ width: size, height: size }, 1, 0);
  const field = new Field(size);
  for (const shape of shapes) {
    field.add(shape.x, shape.y, shape.reach + 1, (x, y) => {
      if (shape.distance(x, y) <= 0) mask.data[y * size + x] = 1;
      return 0;
    });
  }
  return mask;
}

/** Objects as near or far as the stratum asks for. */
function shapesIn(stratum: Stratum, seed: number, index: number, size: number): readonly Shape[] {
  const { share } = drawSize(random(seed, "cells stratum", index), stratum, 25);
  const draw = (zoom: number): Drawing => {
    const shapes = drawShapes(random(seed, "cells shapes", index), size, zoom);
    return { shapes, mask: maskOf(shapes, size) };
  };
  return fitScale(share, 0.4, 12, draw).shapes;
}

/**
 * Procedural microscopy with an exact mask: small bright cells and thin-tailed swimmers on an uneven background. Light
 * falls off, glows and is out of focus by more than an object's contrast, so no threshold on brightness separates
 * them, while each stands out from its own surroundings. Picture `index` of `seed`, a pure function of both and the
 * size: RGB of `size` x `size` pixels and its mask (0 background, 1 cell). Without a stratum it shows the usual view,
 * most objects below 1 % of the picture.
 */
export function cellPicture(seed: number, index: number, size: number, stratum?: Stratum): BytePair {
  const walk = random(seed, "cells", index);
  const field = new Field(size);
  const mask = filled({ width: size, height: size }, 1, 0);
  paintBackground(field, walk);
  const shapes = stratum === undefined ? drawShapes(walk, size) : shapesIn(stratum, seed, index, size);
  for (const shape of shapes) paintShape(field, mask, shape, between(walk, 0.36, 0.56));
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

/** What `svanet data synth cells` writes. */
export const cellsKind: SynthKind = {
  kind: "cells",
  summary: "small bright cells and thin-tailed swimmers on an uneven background, as under a microscope",
  name: "Synthetic cells",
  classes: ["background", "cell"],
  colours: [
    [0, 0, 0],
    [255, 176, 0],
  ],
  modality: "procedural microscopy",
  sizes: CELL_SIZES,
  picture: cellPicture,
};
