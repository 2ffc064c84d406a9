import type { Random } from "../../kernels/random.ts";
import type { Rgb } from "../codec/png-read.ts";
import type { ByteImage } from "../image/image.ts";

export const between = (walk: Random, low: number, high: number) => low + (high - low) * walk.uniform();
export const clamp = (value: number, low = 0, high = 1) => Math.min(high, Math.max(low, value));
/** 0 below `from`, 1 above `to`, smooth in between; `from` may be the larger. */
export const smooth = (from: number, to: number, value: number) => {
  const t = clamp((value - from) / (to - from));
  return t * t * (3 - 2 * t);
};
export const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

/** A function of the place; coordinates in shares of the picture's side. */
type Texture = (u: number, v: number) => number;

/**
 * Value noise about 0, mostly within -1 to 1: patches of 1/`cells` of the side, then finer octaves of half the height each.
 * `stretch` above 1 draws the patches out along the columns.
 */
export function noise(walk: Random, cells: number, octaves = 1, stretch = 1): Texture {
  const side = 64;
  const layers = Array.from({ length: octaves }, () =>
    Float32Array.from({ length: side * side }, () => walk.uniform() * 2 - 1),
  );
  const ease = (t: number) => t * t * t * (t * (6 * t - 15) + 10);
  const sample = (grid: Float32Array, x: number, y: number) => {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const [right, down] = [ease(x - column), ease(y - row)];
    const value = (r: number, c: number) => grid[((row + r) & (side - 1)) * side + ((column + c) & (side - 1))] ?? 0;
    const upper = value(0, 0) + (value(0, 1) - value(0, 0)) * right;
    const lower = value(1, 0) + (value(1, 1) - value(1, 0)) * right;
    return upper + (lower - upper) * down;
  };
  return (u, v) => {
    let [sum, height, scale] = [0, 1, cells];
    for (const grid of layers) {
      sum += height * sample(grid, u * scale + 7, (v * scale) / stretch + 3);
      height /= 2;
      scale *= 2;
    }
    return sum;
  };
}

/** A picture in the making: red, green and blue from 0 to 1, pixel centres at whole coordinates. */
export class Canvas {
  readonly side: number;
  readonly rgb: Float32Array;

  constructor(side: number) {
    this.side = side;
    this.rgb = new Float32Array(side * side * 3);
  }

  /** Every pixel's colour from its place. */
  fill(colour: (u: number, v: number, pixel: number) => Rgb): void {
    const { side, rgb } = this;
    for (let pixel = 0; pixel < side * side; pixel++) {
      rgb.set(colour((pixel % side) / side, Math.floor(pixel / side) / side, pixel), 3 * pixel);
    }
  }

  /** Covers one pixel with `colour`; `alpha` 0 = not at all. */
  blend(pixel: number, colour: Rgb, alpha: number): void {
    const at = 3 * pixel;
    for (const channel of [0, 1, 2] as const) {
      const value = this.rgb[at + channel] ?? 0;
      this.rgb[at + channel] = value + (colour[channel] - value) * alpha;
    }
  }

  /** Multiplies one pixel. */
  shade(pixel: number, factor: number): void {
    for (let at = 3 * pixel; at < 3 * pixel + 3; at++) this.rgb[at] = (this.rgb[at] ?? 0) * factor;
  }

  /** Calls `paint` for every pixel within `reach` (pixels) of a place. */
  around(x: number, y: number, reach: number, paint: (pixel: number, dx: number, dy: number) => void): void {
    const { side } = this;
    const [top, bottom] = [Math.max(0, Math.floor(y - reach)), Math.min(side - 1, Math.ceil(y + reach))];
    const [left, right] = [Math.max(0, Math.floor(x - reach)), Math.min(side - 1, Math.ceil(x + reach))];
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) paint(row * side + column, column - x, row - y);
    }
  }

  /** A soft-edged disc. */
  dot(x: number, y: number, radius: number, colour: Rgb, alpha: number, soft = 0.7): void {
    this.around(x, y, radius + 2 * soft, (pixel, dx, dy) => {
      this.blend(pixel, colour, alpha * smooth(radius + soft, radius - soft, Math.hypot(dx, dy)));
    });
  }

  /** Bytes with the sensor's noise: standard deviations of brightness and of single colours, 0 to 1. */
  toImage(walk: Random, brightness: number, single: number): ByteImage {
    const { side, rgb } = this;
    // A table of draws, entered anywhere for every row: as good to the eye as a draw a pixel, at a tenth of its time.
    const table = Float32Array.from({ length: 8192 }, () => walk.normal());
    const data = new Uint8Array(rgb.length);
    for (let row = 0; row < side; row++) {
      let next = walk.integer(8192);
      const draw = () => table[next++ & 8191] ?? 0;
      for (let at = row * side * 3; at < (row + 1) * side * 3; at += 3) {
        const common = brightness * draw();
        for (let k = at; k < at + 3; k++) {
          data[k] = Math.round(255 * clamp((rgb[k] ?? 0) * (1 + common) + common * 0.25 + single * draw()));
        }
      }
    }
    return { width: side, height: side, channels: 3, data };
  }
}
