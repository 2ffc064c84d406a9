import { gzipSync } from "node:zlib";
import type { Affine } from "./orientation.ts";

const HEADER_BYTES = 352;

/**
 * Labels that have no scan in NIfTI to copy a header from, as a compressed NIfTI-1 file: extents x, y, z with the
 * first index running fastest, the affine as sform in patient millimetres (RAS).
 */
export function encodeNiftiLabels(
  labels: Uint8Array,
  shape: readonly [number, number, number],
  affine: Affine,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32LE(348, 0);
  [3, ...shape, 1, 1, 1, 1].forEach((extent, at) => {
    header.writeInt16LE(extent, 40 + 2 * at);
  });
  header.writeInt16LE(2, 70); // uint8
  header.writeInt16LE(8, 72);
  const size = (column: number) => Math.hypot(...[0, 1, 2].map((row) => affine[row * 4 + column] ?? 0));
  [1, size(0), size(1), size(2)].forEach((value, at) => {
    header.writeFloatLE(value, 76 + 4 * at);
  });
  header.writeFloatLE(HEADER_BYTES, 108);
  header.writeFloatLE(1, 112); // no scaling
  header.writeUInt8(2, 123); // millimetres
  header.writeInt16LE(1, 254); // sform: the scanner's own coordinates
  affine.forEach((value, at) => {
    header.writeFloatLE(value, 280 + 4 * at);
  });
  header.write("n+1\0", 344, "latin1");
  return gzipSync(Buffer.concat([header, labels]));
}
