import { DataError } from "../../errors.ts";
import type { TiffFile, TiffPage } from "./tiff.ts";
import { TAGS } from "./tiff-tags.ts";

/**
 * Decoders know pictures of up to four channels. A picture of more, pixel by pixel, is stored byte for byte as a grey one that is so many
 * times as wide, plane by plane as one that is so many times as high: it is given to them under such a header.
 */
export interface GreyView {
  readonly bytes: Buffer;
  /** Samples of the grey picture, in its rows, as those of the page: rows, columns, channels. */
  restored<S extends Uint8Array | Float32Array | Float64Array>(samples: S): S;
}

const FORMATS = { unsigned: 1, signed: 2, float: 3, other: 4 } as const;

/** The file with single numbers in the place of what some entries hold. */
function withNumbers(
  bytes: Buffer,
  { littleEndian, big }: Pick<TiffFile, "littleEndian" | "big">,
  numbers: readonly (readonly [entry: number | undefined, value: number])[],
): Buffer {
  const copy = Buffer.from(bytes);
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
  const LONG = 4;
  for (const [entry, value] of numbers) {
    if (entry === undefined) continue;
    view.setUint16(entry + 2, LONG, littleEndian);
    if (big) {
      view.setBigUint64(entry + 4, 1n, littleEndian);
      view.setBigUint64(entry + 12, 0n, littleEndian);
      view.setUint32(entry + 12, value, littleEndian);
    } else {
      view.setUint32(entry + 4, 1, littleEndian);
      view.setUint32(entry + 8, value, littleEndian);
    }
  }
  return copy;
}

/** What of a page cannot be read as one of several channels, in words; undefined where all can. */
function obstacleOf(page: TiffPage): string | undefined {
  const { orientation, lossy, layout, height, photometric, format } = page;
  const { planes, predictor, rowsPerStrip, tile } = layout;
  const step = tile?.height ?? rowsPerStrip;
  const isMixed = predictor === 3 || (predictor === 2 && format === "float");
  const obstacles: readonly (readonly [boolean, string])[] = [
    [orientation > 1 && orientation <= 8, "turned by its orientation tag"],
    [lossy, "compressed as a photograph"],
    [photometric === "palette" || photometric === "YCbCr", `of kind "${photometric}"`],
    [isMixed && !planes, `stored as differences of real numbers (predictor ${predictor})`],
    [
      planes && height % step !== 0,
      `stored plane by plane in pieces of ${step} rows, which its ${height} rows are no multiple of`,
    ],
  ];
  return obstacles.find(([isThere]) => isThere)?.[1];
}

/** Undoes differences between the neighbouring pixels of one row, from the second of a tile on. */
function sumRow(
  samples: Uint8Array | Float32Array | Float64Array,
  {
    from,
    channels,
    add,
  }: { readonly from: number; readonly channels: number; readonly add: (a: number, b: number) => number },
  pixels: number,
): void {
  for (let at = from + channels; at < from + pixels * channels; at++) {
    samples[at] = add(samples[at] ?? 0, samples[at - channels] ?? 0);
  }
}

/** Undoes differences between neighbouring pixels along each row, which begin anew with each tile. */
function summed<S extends Uint8Array | Float32Array | Float64Array>(samples: S, page: TiffPage): S {
  const { width, samples: channels, bits, format, layout } = page;
  const range = 2 ** bits;
  const limit = format === "signed" ? range / 2 : range;
  const add = (a: number, b: number) => {
    const sum = (a + b + range) % range;
    return sum >= limit ? sum - range : sum;
  };
  const tile = layout.tile?.width ?? width;
  for (let row = 0; row < samples.length; row += width * channels) {
    for (let x = 0; x < width; x += tile) {
      sumRow(samples, { from: row + x * channels, channels, add }, Math.min(tile, width - x));
    }
  }
  return samples;
}

/** Planes behind each other as pixels behind each other. */
function interleaved<S extends Uint8Array | Float32Array | Float64Array>(planes: S, channels: number): S {
  const out = planes.slice();
  const pixels = planes.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    for (let at = 0; at < pixels; at++) out[at * channels + channel] = planes[channel * pixels + at] ?? 0;
  }
  return out as S;
}

/**
 * A page of several channels as a grey one that any decoder reads. Throws DataError naming `file` where it is stored in a
 * way that has no such form: compressed as photographs are, turned, in planes that are cut across.
 */
export function asGrey(bytes: Buffer, file: string, tiff: TiffFile, page: TiffPage): GreyView {
  const { width, height, samples, bits, format, layout } = page;
  const { planes, predictor, rowsPerStrip, tile, entries } = layout;
  const obstacle = obstacleOf(page);
  if (obstacle !== undefined) {
    throw new DataError(
      `${file}: a picture of ${samples} channels is read where it is stored plainly, this one is ${obstacle}; ` +
        "write it without, or as .npy",
    );
  }
  const undo = predictor === 2 && !planes;
  const at = (tag: number) => entries.get(tag);
  const patched = withNumbers(bytes, tiff, [
    [at(TAGS.width), planes ? width : width * samples],
    [at(TAGS.height), planes ? height * samples : height],
    [at(TAGS.bits), bits],
    [at(TAGS.photometric), 1],
    [at(TAGS.samples), 1],
    [at(TAGS.rowsPerStrip), rowsPerStrip],
    [at(TAGS.planar), 1],
    [at(TAGS.predictor), undo ? 1 : predictor],
    [planes || tile === undefined ? undefined : at(TAGS.tileWidth), (tile?.width ?? 0) * samples],
    [at(TAGS.extra), 0],
    [at(TAGS.format), FORMATS[format]],
  ]);
  return {
    bytes: patched,
    restored: (grey) => (planes ? interleaved(grey, samples) : undo ? summed(grey, page) : grey),
  };
}
