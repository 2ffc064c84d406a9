import { emptyLike, type Picture, type Size } from "./image.ts";

/** From an output pixel's centre to the source: x = cosine u + sine v + x0, y = -sine u + cosine v + y0. */
interface Turn {
  readonly cosine: number;
  readonly sine: number;
  readonly x0: number;
  readonly y0: number;
}

/** Pillow's matrix of a counter-clockwise turn about the middle: entries rounded to 15 decimals. */
function turnOf({ width, height }: Size, degrees: number): Turn {
  const positive = degrees % 360 < 0 ? (degrees % 360) + 360 : degrees % 360;
  const angle = -(positive * (Math.PI / 180));
  const cosine = Number(Math.cos(angle).toFixed(15));
  const sine = Number(Math.sin(angle).toFixed(15));
  return {
    cosine,
    sine,
    x0: (-cosine * width) / 2 - (sine * height) / 2 + width / 2,
    y0: (sine * width) / 2 - (cosine * height) / 2 + height / 2,
  };
}

const fixed = (value: number) => Math.floor(value * 65536 + 0.5);

/**
 * Turned counter-clockwise by `degrees` about the middle, same size, without mixing values: for masks. Source positions
 * are in 16.16 fixed point and advance by addition, as in Pillow 9.4.
 */
export function rotateNearest<P extends Picture>(image: P, degrees: number, fill: number): P {
  const { width, height, channels, data } = image;
  const { cosine, sine, x0, y0 } = turnOf(image, degrees);
  const out = emptyLike(data, data.length).fill(fill);
  const stepX = fixed(cosine);
  const stepY = fixed(-sine);
  const startX = fixed(x0 + cosine * 0.5 + sine * 0.5);
  const startY = fixed(y0 - sine * 0.5 + cosine * 0.5);
  for (let row = 0; row < height; row++) {
    let x = startX + row * fixed(sine);
    let y = startY + row * fixed(cosine);
    for (let column = 0; column < width; column++) {
      const fromX = x >> 16;
      const fromY = y >> 16;
      if (fromX >= 0 && fromX < width && fromY >= 0 && fromY < height) {
        const from = (fromY * width + fromX) * channels;
        const to = (row * width + column) * channels;
        for (let channel = 0; channel < channels; channel++) out[to + channel] = data[from + channel] ?? 0;
      }
      x += stepX;
      y += stepY;
    }
  }
  return { ...image, data: out };
}

/** Offsets of the four neighbours of a source position, and how far it lies past the upper left one. */
export class Neighbours {
  upperLeft = 0;
  upperRight = 0;
  lowerLeft = 0;
  lowerRight = 0;
  right = 0;
  down = 0;

  place({ width, height, channels }: Picture, x: number, y: number): void {
    const left = Math.floor(x - 0.5);
    const top = Math.floor(y - 0.5);
    this.right = x - 0.5 - left;
    this.down = y - 0.5 - top;
    const first = Math.max(left, 0) * channels;
    const second = Math.min(left + 1, width - 1) * channels;
    const upper = Math.max(top, 0) * width * channels;
    const lower = Math.min(top + 1, height - 1) * width * channels;
    this.upperLeft = upper + first;
    this.upperRight = upper + second;
    this.lowerLeft = lower + first;
    this.lowerRight = lower + second;
  }

  /** A channel's bilinear value. */
  blend(data: Picture["data"], channel: number): number {
    const upperLeft = data[this.upperLeft + channel] ?? 0;
    const lowerLeft = data[this.lowerLeft + channel] ?? 0;
    const upper = upperLeft + ((data[this.upperRight + channel] ?? 0) - upperLeft) * this.right;
    const lower = lowerLeft + ((data[this.lowerRight + channel] ?? 0) - lowerLeft) * this.right;
    return upper + (lower - upper) * this.down;
  }
}

/**
 * Turned counter-clockwise by `degrees` about the middle, same size, bilinear; positions outside the image become `fill`.
 * Bytes are truncated, not rounded, as in Pillow 9.4.
 */
export function rotateBilinear<P extends Picture>(image: P, degrees: number, fill: number): P {
  const { width, height, channels, data } = image;
  const { cosine, sine, x0, y0 } = turnOf(image, degrees);
  const out = emptyLike(data, data.length).fill(fill);
  const near = new Neighbours();
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = cosine * (column + 0.5) + sine * (row + 0.5) + x0;
      const y = -sine * (column + 0.5) + cosine * (row + 0.5) + y0;
      if (x < 0 || x >= width || y < 0 || y >= height) continue;
      near.place(image, x, y);
      const to = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[to + channel] = near.blend(data, channel);
    }
  }
  return { ...image, data: out };
}
