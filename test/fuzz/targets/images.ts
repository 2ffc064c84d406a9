import { crc32 } from "node:zlib";
import sharp from "sharp";
import { readChannelSamples } from "../../../src/data/channel-samples.ts";
import { decodePng, encodePng } from "../../../src/data/codec/png.ts";
import { readTiff } from "../../../src/data/codec/tiff.ts";
import { decodeMask, decodePicture } from "../../../src/data/decode.ts";
import { readStored } from "../../../src/data/masks/read-mask.ts";
import { bmpBytes } from "../../support/raw/bmp.ts";
import { npyBytes } from "../../support/raw/npz.ts";
import { tiffBytes as valuesTiff } from "../../support/raw/tiff.ts";
import { tiffBytes } from "../../support/raw/tiff-labels.ts";
import type { FuzzTarget } from "../target.ts";

const SIZE = { width: 16, height: 12 } as const;
const COLOURS = Uint8Array.from({ length: 16 * 12 * 3 }, (_, at) => (at * 7) % 256);
const LABELS = COLOURS.subarray(0, 16 * 12).map((value) => value % 3);
const PALETTE = [[0, 0, 0] as const, [9, 9, 9] as const, [7, 7, 7] as const];

const pngSeeds = async () => [
  encodePng({ ...SIZE, channels: 3, data: COLOURS }),
  encodePng({ ...SIZE, channels: 1, data: LABELS }),
  encodePng({ ...SIZE, channels: 1, data: LABELS }, PALETTE),
  await sharp(COLOURS, { raw: { ...SIZE, channels: 3 } })
    .png({ progressive: true })
    .toBuffer(),
  await sharp(
    Uint16Array.from(COLOURS, (value) => value * 257),
    { raw: { ...SIZE, channels: 3 } },
  )
    .toColourspace("rgb16")
    .png()
    .toBuffer(),
];

const maskSeeds = () => [
  encodePng({ ...SIZE, channels: 1, data: LABELS }),
  encodePng({ ...SIZE, channels: 1, data: LABELS }, PALETTE),
];

/** The bytes with every chunk's checksum made right, as far as chunks can be told. */
function resealed(bytes: Buffer): Buffer {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end - 4)), end - 4);
    at = end;
  }
  return bytes;
}

const PNG_WORDS = ["IHDR", "IDAT", "IEND", "PLTE", "tRNS", "eXIf", "iCCP", "acTL", "fcTL", "zTXt"];
const PNG = { seeds: pngSeeds, head: 80, words: PNG_WORDS, writes: [], reseal: resealed };

const raw = () => sharp(COLOURS, { raw: { ...SIZE, channels: 3 } });
const pictureSeeds = async () => [
  ...(await pngSeeds()),
  await raw()
    .jpeg()
    .withExif({ IFD0: { Orientation: "6" } })
    .toBuffer(),
  await raw().toColourspace("cmyk").jpeg().toBuffer(),
  await raw().tiff({ compression: "lzw" }).toBuffer(),
  await raw().tiff({ compression: "deflate", predictor: "horizontal", tile: true }).toBuffer(),
  await raw().toColourspace("scrgb").tiff({ compression: "none" }).toBuffer(),
  await raw().webp({ lossless: true }).toBuffer(),
];

const GREY = [...LABELS];
const tiffSeeds = async () => [
  tiffBytes({ ...SIZE, bits: 8, values: GREY }),
  tiffBytes({ ...SIZE, bits: 1, photometric: 0, values: GREY.map((label) => label & 1) }),
  tiffBytes({ ...SIZE, bits: 32, format: "float", bigEndian: true, values: GREY, more: [1] }),
  await raw().tiff({ compression: "deflate", predictor: "horizontal", tile: true }).toBuffer(),
  await raw().tiff({ compression: "lzw", bigtiff: true }).toBuffer(),
];
const TIFF_WORDS = ["II*\0", "MM\0*", "II+\0", "MM\0+", "\x00\x01\x03\0", "\x11\x01\x04\0", "ImageJ=1\nimages=9\n"];
const labelSeeds = async () => [
  ...maskSeeds(),
  ...(await tiffSeeds()).slice(0, 4),
  ...([1, 4, 8, 24] as const).map((bits) =>
    bmpBytes(
      SIZE,
      bits,
      GREY.map((label) => label & 1),
    ),
  ),
  await raw().jpeg().toBuffer(),
  await raw().webp({ lossless: true }).toBuffer(),
  await raw().gif().toBuffer(),
];

const BANDS = Uint16Array.from({ length: 16 * 12 * 5 }, (_, at) => (at * 97) % 65536);
const channelSeeds = () => [
  valuesTiff({ ...SIZE, samples: 5, photometric: 1, data: BANDS }),
  valuesTiff({ ...SIZE, samples: 5, photometric: 1, data: BANDS, planes: true }),
  valuesTiff({ ...SIZE, data: BANDS.subarray(0, 192) }, { ...SIZE, data: BANDS.subarray(192, 384) }),
  npyBytes({ descr: "<u2", shape: [12, 16, 5], data: new Uint8Array(BANDS.buffer) }),
];

export const IMAGE_TARGETS: readonly FuzzTarget[] = [
  { name: "png", ...PNG, run: (bytes) => decodePng(bytes, "fuzzed.png") },
  { name: "mask", ...PNG, seeds: maskSeeds, run: (bytes) => decodeMask(bytes, "fuzzed.png") },
  {
    name: "labels",
    seeds: labelSeeds,
    head: 120,
    words: [...PNG_WORDS, ...TIFF_WORDS, "BM", "\xff\xda", "GIF89a", "VP8L"],
    writes: [],
    run: (bytes) => readStored(bytes, "fuzzed.image"),
  },
  {
    name: "tiff",
    seeds: tiffSeeds,
    head: 200,
    words: TIFF_WORDS,
    writes: [],
    run: (bytes) => readTiff(bytes, "fuzzed.tif"),
  },
  {
    name: "channels",
    seeds: channelSeeds,
    head: 250,
    words: [...TIFF_WORDS, "\x15\x01\x03\0", "\x1c\x01\x03\0", "\x3d\x01\x03\0", "(12, 16, 5)"],
    writes: [],
    run: (bytes) => {
      const name = bytes[0] === 0x93 ? "fuzzed.npy" : "fuzzed.tif";
      return readChannelSamples(bytes, name, 5, { pages: true });
    },
  },
  {
    name: "picture",
    seeds: pictureSeeds,
    head: 200,
    words: [
      ...PNG_WORDS,
      "\xff\xd8",
      "\xff\xc0",
      "\xff\xda",
      "\xff\xe1",
      "Exif\0\0",
      "Adobe",
      "II*\0",
      "MM\0*",
      "VP8L",
      "VP8X",
    ],
    writes: [],
    run: (bytes) => decodePicture(bytes, "fuzzed.image"),
  },
];
