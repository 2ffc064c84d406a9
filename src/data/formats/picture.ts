import sharp, { type DepthEnum, type Sharp } from "sharp";
import { DataError } from "../../errors.ts";
import type { TiffPage } from "../codec/tiff.ts";
import { damagedPicture, modeOf, openPicture, type PictureSource, sampleType } from "./picture-source.ts";
import { type Numbers, VALUE_TYPES, type ValueType, valueReader } from "./values.ts";

// One thread a file: parallelism comes from the workers, and a fixed order of threads would only add overhead.
sharp.concurrency(1);
sharp.cache(false);

/** A picture as its file holds it, turned upright, alpha dropped. */
export interface StoredPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Row by row, channels last: bytes as they are shown, or the values of samples that are no bytes. NaN: no data. */
  readonly samples: Uint8Array | Numbers;
  /** How the file stores it: grey, greyAlpha, rgb, rgba, palette, cmyk. */
  readonly mode: string;
  /** Bits a sample as stored. */
  readonly depth: number;
  /** Low values are bright. */
  readonly inverted: boolean;
}

/** Samples of a decoder, alpha included. */
interface Raw {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly bytes: Uint8Array;
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
  if (wrong.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  for (const at of wrong) copy.set(tiff.littleEndian ? [1, 0] : [0, 1], at);
  return copy;
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

async function byteSamples(source: PictureSource): Promise<Raw> {
  const { file, metadata } = source;
  if (metadata.space === "cmyk") {
    const pipeline = opened(source).pipelineColourspace("cmyk").toColourspace("cmyk");
    return rgbOfCmyk(await rawOf(file, pipeline.raw({ depth: "uchar" })));
  }
  return rawOf(file, opened(source).toColourspace("srgb").raw({ depth: "uchar" }));
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

/** Whether every pixel has the same colour while alpha differs: then the picture stands in its alpha. */
function isDrawnInAlpha(samples: Uint8Array | Numbers, channels: number): boolean {
  const alpha = channels - 1;
  let varies = false;
  for (let at = 0; at < samples.length; at += channels) {
    for (let channel = 0; channel < alpha; channel++) {
      if (samples[at + channel] !== samples[channel]) return false;
    }
    varies ||= samples[at + alpha] !== samples[alpha];
  }
  return varies;
}

/** The first one or three of the channels; grey in three equal channels stays so. */
function withoutAlpha<Samples extends Uint8Array | Numbers>(samples: Samples, channels: number, file: string): Samples {
  if (channels === 1 || channels === 3) return samples;
  if (isDrawnInAlpha(samples, channels)) {
    throw new DataError(
      `${file}: all its pixels have one colour and differ in alpha alone, which is not read; draw the picture on a background`,
    );
  }
  const kept = channels - 1;
  const out = samples.slice(0, (samples.length / channels) * kept);
  for (let from = 0, to = 0; to < out.length; from += channels, to += kept) {
    for (let channel = 0; channel < kept; channel++) out[to + channel] = samples[from + channel] ?? 0;
  }
  return out as Samples;
}

/**
 * A picture file's samples as stored, one page of them: turned upright by its orientation tag (EXIF's 2 to 8, others count
 * as 1), without alpha, CMYK as RGB, palettes as the colours they name, no colour profile applied. Throws DataError naming
 * `file` where it is damaged, of a kind that is not read, or has several pages of which none is chosen; UsageError where there
 * is no such page.
 */
export async function readStoredPicture(bytes: Buffer, file: string, page?: number): Promise<StoredPicture> {
  const source = await openPicture(bytes, file, page);
  const type = sampleType(source);
  const mode = modeOf(source);
  if (type === undefined) {
    const raw = await byteSamples(source);
    const samples = withoutAlpha(raw.bytes, raw.channels, file);
    return { ...sizeOf(raw), samples, mode, depth: source.metadata.bitsPerSample ?? 8, inverted: false };
  }
  const { raw, littleEndian } = await deepSamples(source, type);
  const values = valuesOf(raw, type, littleEndian, source.page?.noData);
  const inverted = source.page?.photometric === "white is zero" && source.page.bits > 8;
  return {
    ...sizeOf(raw),
    samples: withoutAlpha(values, raw.channels, file),
    mode,
    depth: 8 * VALUE_TYPES[type],
    inverted,
  };
}

const sizeOf = ({ width, height, channels }: Raw): Pick<StoredPicture, "width" | "height" | "channels"> => ({
  width,
  height,
  channels: channels <= 2 ? 1 : 3,
});
