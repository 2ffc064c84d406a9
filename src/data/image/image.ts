import { ShapeError } from "../../errors.ts";

interface Raster<Samples> {
  readonly width: number;
  readonly height: number;
  /** Samples a pixel, 1 to 8. */
  readonly channels: number;
  /** height * width * channels samples, row-major, channels last. */
  readonly data: Samples;
  /** The channels are measurements, each for itself: even three of them are no colours. */
  readonly measured?: true;
}

/** Bytes in rows, columns, channels. An image has three channels (RGB) or the named ones of its data set, a mask one (class index; 255 = ignore). */
export type ByteImage = Raster<Uint8Array>;

/** A picture of more than 8 bits a sample, seen through its window: 0 (black) to 255 (white), not rounded. */
export type FloatImage = Raster<Float32Array>;

/** What a network looks at: bytes where the file has bytes, else floats in the same units. */
export type Picture = ByteImage | FloatImage;

/** An array of the same kind as `data`. Its elements are 0. */
export function emptyLike<Samples extends Picture["data"]>(data: Samples, length: number): Samples {
  return (data instanceof Float32Array ? new Float32Array(length) : new Uint8Array(length)) as Samples;
}

/** The picture as bytes, to be drawn or stored: rounded. Bytes are given back as they are. */
export function drawn(picture: Picture): ByteImage {
  const { data } = picture;
  return { ...picture, data: data instanceof Uint8Array ? data : Uint8Array.from(data, (value) => Math.round(value)) };
}

/**
 * Throws ShapeError, in the name of `op`, unless a picture of unknown origin is what it says: whole sides of at least 1,
 * bytes or floats in RGB, or in `expected` channels, as many as the sides ask for, and no NaN or infinity among them.
 */
export function requirePicture(op: string, { width, height, channels, data }: Picture, expected = 3): void {
  const isSide = (side: number) => Number.isSafeInteger(side) && side >= 1;
  if (!isSide(width) || !isSide(height)) {
    throw new ShapeError(`${op}: the picture is ${width}x${height}; both sides must be whole numbers of at least 1`);
  }
  const inWords = expected === 3 ? "3, red, green, blue" : `${expected}, as the network was trained`;
  if (channels !== expected)
    throw new ShapeError(`${op}: the picture has ${channels} channels; it must have ${inWords}`);
  if (!(data instanceof Uint8Array || data instanceof Float32Array)) {
    throw new ShapeError(`${op}: data must be a Uint8Array, or a Float32Array of 0 (black) to 255 (white)`);
  }
  if (data.length !== width * height * expected) {
    const kind = expected === 3 ? "RGB" : `${expected} channels`;
    throw new ShapeError(
      `${op}: data has ${data.length} samples; a picture of ${width}x${height} in ${kind} has ${width * height * expected}`,
    );
  }
  const wrong = data instanceof Float32Array ? data.findIndex((value) => !Number.isFinite(value)) : -1;
  if (wrong >= 0)
    throw new ShapeError(`${op}: data holds ${data[wrong]} at ${wrong}; samples are 0 (black) to 255 (white)`);
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

interface Rectangle extends Size {
  readonly left: number;
  readonly top: number;
}

/** An image of one byte value. */
export function filled({ width, height }: Size, channels: number, value: number): ByteImage {
  return { width, height, channels, data: new Uint8Array(width * height * channels).fill(value) };
}

/** Mirrored left to right. */
export function horizontalFlip<P extends Picture>(image: P): P {
  const { width, height, channels, data } = image;
  const out = emptyLike(data, data.length);
  const stride = width * channels;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = row * stride + column * channels;
      const to = row * stride + (width - 1 - column) * channels;
      for (let channel = 0; channel < channels; channel++) out[to + channel] = data[from + channel] ?? 0;
    }
  }
  return { ...image, data: out };
}

/** The part inside `box`. Throws RangeError where the box leaves the image. */
export function crop<P extends Picture>(image: P, box: Rectangle): P {
  const { left, top, width, height } = box;
  if (left < 0 || top < 0 || left + width > image.width || top + height > image.height) {
    throw new RangeError(
      `crop: ${width}x${height} at column ${left}, row ${top} leaves an image of ${image.width}x${image.height}`,
    );
  }
  const { channels } = image;
  const out = emptyLike(image.data, width * height * channels);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * image.width + left) * channels;
    out.set(image.data.subarray(from, from + width * channels), row * width * channels);
  }
  return { ...image, width, height, data: out };
}

interface Border {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** `fill` on all four sides, in every channel. */
export function pad<P extends Picture>(image: P, border: Border, fill: number): P {
  const { channels } = image;
  const width = image.width + border.left + border.right;
  const height = image.height + border.top + border.bottom;
  const data = emptyLike(image.data, width * height * channels).fill(fill);
  const length = image.width * channels;
  for (let row = 0; row < image.height; row++) {
    const to = ((border.top + row) * width + border.left) * channels;
    data.set(image.data.subarray(row * length, (row + 1) * length), to);
  }
  return { ...image, width, height, data };
}
