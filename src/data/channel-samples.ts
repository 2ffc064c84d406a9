import { extname } from "node:path";
import { DataError } from "../errors.ts";
import { type ChannelPlan, channelsText } from "./channels.ts";
import { looksLikeTiff, readTiff, type TiffFile, type TiffPage } from "./codec/tiff.ts";
import { asGrey } from "./codec/tiff-bands.ts";
import { npySizeError, readNpyHeader } from "./formats/npy.ts";
import { type ArrayPart, NpzFile, transposed } from "./formats/npz.ts";
import { readStoredPicture } from "./formats/picture.ts";
import { type Numbers, type ValueType, valueReader } from "./formats/values.ts";

/** File name extensions of arrays, which are read where channels are named. */
export const ARRAY_EXTENSIONS: ReadonlySet<string> = new Set([".npy", ".npz"]);

/** What a file holds of an image's channels. */
export interface ChannelSamples {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Row by row, channels last: bytes as they are, or values. NaN: no data. */
  readonly samples: Uint8Array | Numbers;
  /** Bits a sample as stored. */
  readonly depth: number;
  /** Low values are bright. */
  readonly inverted: boolean;
  /** Which channels are bytes although others are none; left out where all are alike. */
  readonly bytes?: readonly boolean[];
}

/** The array of an .npz archive that is the image. */
const IMAGE_ARRAY = "image";

interface OpenedArray extends ArrayPart {
  readonly type: ValueType;
}

async function openArray(bytes: Buffer, file: string): Promise<OpenedArray> {
  if (extname(file).toLowerCase() === ".npy") {
    const header = readNpyHeader(bytes, file);
    const content = bytes.subarray(header.dataOffset);
    if (content.length !== header.dataBytes) throw npySizeError(file, header, content.length);
    const read = valueReader(content, header.type, header.littleEndian);
    const { type, shape } = header;
    return { type, shape, at: header.fortran ? transposed(read, shape) : read };
  }
  const archive = await NpzFile.fromBytes(bytes, file);
  const name = archive.names.length === 1 ? archive.names[0] : archive.names.find((one) => one === IMAGE_ARRAY);
  if (name === undefined) {
    throw new DataError(
      `${file}: holds the arrays ${archive.names.join(", ") || "(none)"}; save one, or call the image's "${IMAGE_ARRAY}"`,
    );
  }
  const { type } = await archive.header(name);
  return { type, ...(await archive.array(name)) };
}

/** An array `[height, width]` or `[height, width, channels]`. */
async function arraySamples(bytes: Buffer, file: string, expected: number): Promise<ChannelSamples> {
  const { type, shape, at } = await openArray(bytes, file);
  const [height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || height * width * channels === 0) {
    throw new DataError(`${file}: its shape is (${shape.join(", ")}); save it as [height, width, channels]`);
  }
  if (channels !== expected && height === expected) {
    throw new DataError(
      `${file}: its shape is (${shape.join(", ")}), channels first; save it as [height, width, channels] ` +
        "(numpy.moveaxis(a, 0, -1))",
    );
  }
  const count = height * width * channels;
  const exact =
    type === "uint8"
      ? new Uint8Array(count)
      : /64|int32/.test(type)
        ? new Float64Array(count)
        : new Float32Array(count);
  for (let index = 0; index < count; index++) exact[index] = at(index);
  const depth = Number(/\d+$/.exec(type)?.[0] ?? 8);
  return { width, height, channels, samples: exact, depth, inverted: false };
}

/** Every third sample, of pixels whose three samples are equal; undefined where they are not. */
function greyOf<S extends Uint8Array | Numbers>(samples: S): S | undefined {
  for (let at = 0; at < samples.length; at += 3) {
    const [red, green, blue] = [samples[at], samples[at + 1], samples[at + 2]];
    if (!Object.is(red, green) || !Object.is(red, blue)) return undefined;
  }
  return samples.filter((_, at) => at % 3 === 0) as S;
}

/** A picture as networks for RGB see it, but grey in one channel where one is wanted. */
async function pictureSamples(bytes: Buffer, file: string, expected: number, page?: number): Promise<ChannelSamples> {
  const stored = await readStoredPicture(bytes, file, page);
  const grey = stored.channels === 3 && expected !== 3 ? greyOf(stored.samples) : undefined;
  return grey === undefined ? stored : { ...stored, channels: 1, samples: grey };
}

/** Whether a TIFF's page is to be read channel by channel: decoders know grey, RGB and alpha. */
const hasBands = ({ samples, photometric }: TiffPage, expected: number): boolean =>
  samples > 4 || (samples === expected && samples > 1 && !(samples === 3 && photometric === "RGB"));

async function bandSamples(bytes: Buffer, file: string, tiff: TiffFile, page: TiffPage): Promise<ChannelSamples> {
  const view = asGrey(bytes, file, tiff, page);
  const { width, height, samples: channels } = page;
  const { samples, depth } = await pictureSamples(view.bytes, file, 1);
  return { width, height, channels, samples: view.restored(samples), depth, inverted: false };
}

/** Images of one channel as one image; the others must be of the first one's size. */
export function stacked(parts: readonly (ChannelSamples & { readonly name: string })[]): ChannelSamples {
  const [first, ...others] = parts;
  if (first === undefined) throw new RangeError("stacked: no channels");
  const { width, height } = first;
  for (const part of others) {
    if (part.width === width && part.height === height) continue;
    throw new DataError(
      `${part.name}: is ${part.width}x${part.height}, ${first.name} is ${width}x${height}; the channels of an image need one size`,
    );
  }
  const channels = parts.length;
  const isExact = parts.every(({ samples }) => samples instanceof Uint8Array);
  const double = parts.some(({ samples }) => samples instanceof Float64Array);
  const count = width * height * channels;
  const samples = isExact ? new Uint8Array(count) : double ? new Float64Array(count) : new Float32Array(count);
  for (const [channel, part] of parts.entries()) {
    for (let at = 0; at < width * height; at++) samples[at * channels + channel] = part.samples[at] ?? 0;
  }
  const depth = Math.max(...parts.map((part) => part.depth));
  const bytes = parts.map((part) => part.samples instanceof Uint8Array);
  return { width, height, channels, samples, depth, inverted: first.inverted, bytes };
}

/** The pages of a TIFF, one a channel. */
async function pageSamples(bytes: Buffer, file: string, tiff: TiffFile): Promise<ChannelSamples> {
  const parts: (ChannelSamples & { readonly name: string })[] = [];
  for (const at of tiff.pages.keys()) {
    const part = await pictureSamples(bytes, file, 1, at);
    if (part.channels !== 1) throw new DataError(`${file}: page ${at} is in colour; a channel is a grey picture`);
    parts.push({ ...part, name: `${file}, page ${at}` });
  }
  return stacked(parts);
}

/**
 * What a file holds of an image's channels: an array, the bands or pages of a TIFF, or a picture. `expected` channels are
 * wanted; whether they are there is the caller's matter. Throws DataError naming `file` where it is damaged or cannot be read
 * as channels.
 */
export async function readChannelSamples(
  bytes: Buffer,
  file: string,
  expected: number,
  { pages }: Pick<ChannelPlan, "pages">,
): Promise<ChannelSamples> {
  if (ARRAY_EXTENSIONS.has(extname(file).toLowerCase())) return arraySamples(bytes, file, expected);
  if (!looksLikeTiff(bytes)) return pictureSamples(bytes, file, expected);
  const tiff = readTiff(bytes, file);
  const [page] = tiff.pages;
  if (pages === true && tiff.pages.length > 1) return pageSamples(bytes, file, tiff);
  if (tiff.count > 1 && expected > 1) {
    throw new DataError(
      `${file}: holds ${tiff.count} pages; where they are its channels, say "pages: true" beside channels: in dataset.yaml`,
    );
  }
  if (page !== undefined && tiff.pages.length === 1 && hasBands(page, expected))
    return bandSamples(bytes, file, tiff, page);
  return pictureSamples(bytes, file, expected);
}

/** Who names the channels: the words before them in messages. */
export type ChannelSource = "dataset.yaml names" | "the network takes";

/** Throws DataError where a file has not the channels that it should. */
export function requireChannelCount(file: string, found: number, { names }: ChannelPlan, source: ChannelSource): void {
  if (found === names.length) return;
  const cure =
    source === "dataset.yaml names"
      ? "name the channels there are in dataset.yaml, or store all of them (in one file, or as STEM_0000, STEM_0001, ...)"
      : "give a picture of those channels (in one file, or as STEM_0000, STEM_0001, ...), in their order";
  throw new DataError(
    `${file}: has ${found === 1 ? "1 channel" : `${found} channels`}, ${source} ${channelsText(names)}; ${cure}`,
  );
}
