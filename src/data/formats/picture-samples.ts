import sharp, { type DepthEnum, type Sharp } from "sharp";
import { DataError } from "../../errors.ts";
import type { TiffFile, TiffPage } from "../codec/tiff.ts";
import { damagedPicture, type PictureSource, sampleType } from "./picture-source.ts";
import { type Numbers, VALUE_TYPES, type ValueType, valueReader } from "./values.ts";

// One thread a file: parallelism comes from the workers, and a fixed order of threads would only add overhead.
sharp.concurrency(1);
sharp.cache(false);

/** The samples of a page, turned upright. */
export interface PictureSamples {
  readonly width: number;
  readonly height: number;
  /** Samples a pixel, alpha included. */
  readonly channels: number;
  /** Row by row, channels last: bytes, or the values of samples that are no bytes. */
  readonly samples: Uint8Array | Numbers;
}

/** What is known of a TIFF beside its bytes. */
type StoredPage = { readonly tiff: TiffFile; readonly page: TiffPage };

/** Samples of a decoder, alpha included. */
interface Raw {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly bytes: Uint8Array;
}

/** The file with another word, of 16 bits, at some places of its header. */
function withWords(bytes: Buffer, { littleEndian }: TiffFile, places: readonly number[], word: number): Buffer {
  if (places.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  for (const at of places) copy.set(littleEndian ? [word, 0] : [0, word], at);
  return copy;
}

/**
 * The decoder cuts signed and half-precision samples of 16 bits off at 0, turns "white is zero" round by a maximum that
 * deep files do not have, and stops at an orientation that does not exist. It is given the file with other words in the
 * header: then it hands the bits on as they are.
 */
function asPlainBits({ bytes, tiff, page }: PictureSource): Buffer {
  if (tiff === undefined || page === undefined) return bytes;
  const { places, bits, photometric, orientation } = page;
  const wrong = [
    ...(bits === 16 ? places.format : []),
    ...(bits > 8 && photometric === "white is zero" ? places.photometric : []),
    ...(orientation >= 1 && orientation <= 8 ? [] : places.orientation),
  ];
  return withWords(bytes, tiff, wrong, 1);
}

function opened(source: PictureSource): Sharp {
  // Its size is checked by `openPicture`, with our own limit.
  const options = { failOn: "error", ignoreIcc: true, page: source.index, limitInputPixels: false } as const;
  return sharp(asPlainBits(source), options).autoOrient();
}

async function rawOf(file: string, pipeline: Sharp): Promise<Raw> {
  try {
    const { data, info } = await pipeline.toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, channels, bytes: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (error) {
    throw damagedPicture(file, error);
  }
}

/** CMYK as Pillow's `convert("RGB")` gives it: no profile is applied, whatever stands in the file. */
function rgbOfCmyk({ width, height, channels, bytes }: Raw): Raw {
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    const light = 255 - (bytes[from + 3] ?? 0);
    for (let channel = 0; channel < 3; channel++) {
      const product = (bytes[from + channel] ?? 0) * light + 128;
      out[to + channel] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return { width, height, channels: 3, bytes: out };
}

async function byteSamples(source: PictureSource, space: "srgb" | "b-w"): Promise<Raw> {
  const { file, metadata } = source;
  if (metadata.space === "cmyk") {
    const pipeline = opened(source).pipelineColourspace("cmyk").toColourspace("cmyk");
    return rgbOfCmyk(await rawOf(file, pipeline.raw({ depth: "uchar" })));
  }
  return rawOf(file, opened(source).toColourspace(space).raw({ depth: "uchar" }));
}

/** Depths as the decoder names them, by type of the samples. */
const RAW_DEPTHS: Partial<Record<ValueType, keyof DepthEnum>> = {
  int8: "char",
  uint8: "uchar",
  ...({ uint16: "ushort", int16: "ushort", float16: "ushort" } as const),
  ...({ uint32: "uint", int32: "int", float32: "float" } as const),
};

async function deepSamples(source: PictureSource, type: ValueType): Promise<{ raw: Raw; littleEndian: boolean }> {
  const { file, metadata, tiff, page } = source;
  const depth = RAW_DEPTHS[type];
  if (depth === undefined) {
    if (tiff === undefined || page === undefined) throw new RangeError(`${file}: samples of type ${type}`);
    return { raw: plainStrips(source, page), littleEndian: tiff.littleEndian };
  }
  const grey = (page?.samples ?? metadata.channels ?? 1) <= 2;
  const space = depth === "ushort" ? (grey ? "grey16" : "rgb16") : (metadata.space ?? "b-w");
  const pipeline = opened(source).pipelineColourspace(space).toColourspace(space);
  return { raw: await rawOf(file, pipeline.raw({ depth })), littleEndian: true };
}

/** The bytes of an uncompressed page, for samples that the decoder does not know. */
function plainStrips({ file, bytes }: PictureSource, page: TiffPage): Raw {
  const { width, height, samples: channels, strips, bits, orientation } = page;
  if (strips === undefined || (orientation > 1 && orientation <= 8)) {
    const how = strips === undefined ? "compressed or in tiles" : "turned";
    throw new DataError(
      `${file}: samples of 64 bits are read uncompressed and upright only, these are ${how}; write 32 bits`,
    );
  }
  const wanted = (width * height * channels * bits) / 8;
  const joined = Buffer.concat(strips.map(({ offset, bytes: length }) => bytes.subarray(offset, offset + length)));
  if (joined.length < wanted)
    throw damagedPicture(file, new Error(`${joined.length} bytes of samples, ${wanted} are announced`));
  return { width, height, channels, bytes: joined.subarray(0, wanted) };
}

/** Types whose values single precision holds exactly. */
const SINGLE: ReadonlySet<ValueType> = new Set(["uint8", "int8", "uint16", "int16", "float16", "float32"]);

function valuesOf({ bytes }: Raw, type: ValueType, littleEndian: boolean, noData: number | undefined): Numbers {
  const read = valueReader(bytes, type, littleEndian);
  const count = bytes.length / VALUE_TYPES[type];
  const values = SINGLE.has(type) ? new Float32Array(count) : new Float64Array(count);
  const none = noData !== undefined && SINGLE.has(type) ? Math.fround(noData) : noData;
  for (let at = 0; at < count; at++) {
    const value = read(at);
    values[at] = value === none ? Number.NaN : value;
  }
  return values;
}

function read({ raw, littleEndian }: { raw: Raw; littleEndian: boolean }, type: ValueType, noData: number | undefined) {
  const { width, height, channels } = raw;
  return { width, height, channels, samples: valuesOf(raw, type, littleEndian, noData) };
}

/**
 * The samples of an opened picture as it is shown: CMYK as RGB, palettes as the colours they name, "white is zero" of 8 bits
 * and less turned round; NaN where there are no data. Throws DataError naming the file where it is damaged.
 */
export async function shownSamples(source: PictureSource): Promise<PictureSamples> {
  const type = sampleType(source);
  if (type !== undefined) return read(await deepSamples(source, type), type, source.page?.noData);
  const { bytes: samples, ...size } = await byteSamples(source, "srgb");
  return { ...size, samples };
}

/** Kinds of pages whose samples are shown as others than are stored. */
const SHOWN_AS_OTHERS: ReadonlySet<string> = new Set(["palette", "white is zero"]);

/**
 * The samples of an opened TIFF exactly as its file stores them: palette indices, "white is zero" as it is, values that say
 * "no data" too. Throws DataError naming the file where it is damaged.
 */
export async function storedSamples(source: PictureSource & StoredPage): Promise<PictureSamples> {
  const { tiff, page } = source;
  // Told that black is zero, the decoder has no reason to change a sample.
  const isOther = SHOWN_AS_OTHERS.has(page.photometric);
  const bytes = isOther ? withWords(source.bytes, tiff, page.places.photometric, 1) : source.bytes;
  const plain: PictureSource = { ...source, bytes, page: isOther ? { ...page, photometric: "black is zero" } : page };
  const type = sampleType(plain);
  if (type !== undefined) return read(await deepSamples(plain, type), type, undefined);
  const { bytes: samples, ...size } = await byteSamples(plain, page.samples <= 2 ? "b-w" : "srgb");
  return { ...size, samples: page.bits < 8 ? unstretched(samples, page.bits) : samples };
}

/** Samples of 1, 2 or 4 bits, which the decoder stretches to 0 to 255. */
const unstretched = (samples: Uint8Array, bits: number) =>
  samples.map((sample) => Math.round((sample * (2 ** bits - 1)) / 255));
