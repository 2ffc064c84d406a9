import { zlibSync } from "fflate";
import type { ByteImage } from "../image/image.ts";
import { crc32 } from "./crc32.ts";
import { COLOUR_TYPES, type Rgb, SIGNATURE } from "./png-read.ts";

/**
 * A one-channel image as a PNG of indices into `palette` (up to 256 colours): coloured in a viewer, the same values for
 * whoever reads classes. Made without Node, so that a browser and `svanet predict` write the same bytes for the same mask;
 * no time or text is stored.
 */
export function encodeLabels({ width, height, data }: ByteImage, palette: readonly Rgb[]): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8;
  header[9] = COLOUR_TYPES.palette;
  const rows = new Uint8Array(height * (width + 1));
  for (let row = 0; row < height; row++) rows.set(data.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  const parts = [
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(palette.slice(0, 256).flat())),
    chunk("IDAT", zlibSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ];
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
}
