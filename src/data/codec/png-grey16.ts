import { PNG } from "pngjs";

/** Numbers of 0 to 65535, `[height, width]`, as a grey PNG of 16 bits. No time or text is stored. */
export function encodeGrey16(values: Uint16Array, width: number, height: number): Buffer {
  const png = new PNG({ width, height });
  // pngjs reads the whole of the array's memory.
  png.data = Buffer.from(Uint16Array.from(values).buffer);
  return PNG.sync.write(png, { colorType: 0, inputColorType: 0, inputHasAlpha: false, bitDepth: 16 });
}
