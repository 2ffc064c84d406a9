import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePng } from "../../src/data/codec/png.ts";
import { encodeGrey16 } from "../../src/data/codec/png-grey16.ts";
import { random } from "../../src/kernels/random.ts";

/** Objects in each picture of {@link touchingBars}: two pairs. */
export const BARS = 4;

/**
 * Writes a dataset folder of square pictures, each of two pairs of bars that touch along a whole side, with their numbers in
 * `instances/`. A pair's mask is one rectangle, without a neck; a bar is dark at its outline, so that the picture shows two.
 */
export function touchingBars(
  folder: string,
  counts: { readonly train: number; readonly val: number },
  side = 64,
): void {
  for (const inner of ["train", "val", "mask", "instances"]) mkdirSync(join(folder, inner), { recursive: true });
  writeFileSync(join(folder, "dataset.yaml"), "name: bars\nclasses: [background, bar]\n");
  const size = { width: side, height: side };
  for (const split of ["train", "val"] as const) {
    for (let index = 0; index < counts[split]; index++) {
      const { numbers, image } = picture(split === "train" ? index : 1000 + index, side);
      const name = `${split}-${index}.png`;
      const data = Uint8Array.from(numbers, (number) => Math.min(1, number));
      writeFileSync(join(folder, split, name), encodePng({ ...size, channels: 3, data: image }));
      writeFileSync(join(folder, "mask", name), encodePng({ ...size, channels: 1, data }));
      writeFileSync(join(folder, "instances", name), encodeGrey16(numbers, side, side));
    }
  }
}

function picture(index: number, side: number) {
  const walk = random(7, "touching bars", index);
  const [width, height] = [Math.floor(side / 4), Math.floor(side / 4)];
  const numbers = new Uint16Array(side * side);
  const image = new Uint8Array(3 * side * side);
  const light = new Float32Array(side * side).fill(40);
  for (let pair = 0; pair < 2; pair++) {
    const left = 2 + walk.integer(side - 2 * width - 4);
    const top = 2 + pair * Math.floor(side / 2) + walk.integer(Math.floor(side / 2) - height - 4);
    for (let at = 0; at < 2 * width * height; at++) {
      const [x, y] = [at % (2 * width), Math.floor(at / (2 * width))];
      const inner = Math.min(x % width, width - 1 - (x % width), y, height - 1 - y);
      const place = (top + y) * side + left + x;
      numbers[place] = 1 + 2 * pair + Math.floor(x / width);
      light[place] = inner < 2 ? 130 : 220;
    }
  }
  for (const [at, value] of light.entries()) image.fill(Math.round(value + 8 * walk.uniform()), 3 * at, 3 * at + 3);
  return { numbers, image };
}
