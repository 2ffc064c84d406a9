/** Bytes in rows, columns, channels. An image has three channels (RGB), a mask one (class index; 255 = ignore). */
export interface ByteImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** height * width * channels bytes, row-major, channels last. */
  readonly data: Uint8Array;
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
export function filled({ width, height }: Size, channels: 1 | 3, value: number): ByteImage {
  return { width, height, channels, data: new Uint8Array(width * height * channels).fill(value) };
}

/** Mirrored left to right. */
export function horizontalFlip(image: ByteImage): ByteImage {
  const { width, height, channels, data } = image;
  const out = new Uint8Array(data.length);
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
export function crop(image: ByteImage, box: Rectangle): ByteImage {
  const { left, top, width, height } = box;
  if (left < 0 || top < 0 || left + width > image.width || top + height > image.height) {
    throw new RangeError(
      `crop: ${width}x${height} at column ${left}, row ${top} leaves an image of ${image.width}x${image.height}`,
    );
  }
  const { channels } = image;
  const out = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * image.width + left) * channels;
    out.set(image.data.subarray(from, from + width * channels), row * width * channels);
  }
  return { width, height, channels, data: out };
}

interface Border {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** `fill` on all four sides, in every channel. */
export function pad(image: ByteImage, border: Border, fill: number): ByteImage {
  const { channels } = image;
  const width = image.width + border.left + border.right;
  const out = filled({ width, height: image.height + border.top + border.bottom }, channels, fill);
  const length = image.width * channels;
  for (let row = 0; row < image.height; row++) {
    const to = ((border.top + row) * width + border.left) * channels;
    out.data.set(image.data.subarray(row * length, (row + 1) * length), to);
  }
  return out;
}
