import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gaussianBlur } from "../../../src/data/image/box-blur.ts";
import { brightness, contrast, hue, permuteChannels, saturation } from "../../../src/data/image/colour.ts";
import {
  type ByteImage,
  crop,
  type FloatImage,
  horizontalFlip,
  type Picture,
  pad,
} from "../../../src/data/image/image.ts";
import { normalise } from "../../../src/data/image/normalise.ts";
import { resize, resizeNearest } from "../../../src/data/image/resample.ts";
import { rotateBilinear, rotateNearest } from "../../../src/data/image/rotate.ts";

interface Entry {
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The byte images (I32 values) of a fixture file and the attributes of its cases. */
function readFixture(url: URL) {
  const bytes = readFileSync(url);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: attributes, ...entries } = JSON.parse(bytes.toString("utf8", 8, start)) as {
    __metadata__: Record<string, string>;
  } & Record<string, Entry>;
  const images = new Map<string, ByteImage>();
  for (const [name, entry] of Object.entries(entries as unknown as Record<string, Entry>)) {
    const [height = 0, width = 0, channels = 1] = entry.shape;
    const [from, to] = entry.data_offsets;
    const data = Uint8Array.from({ length: (to - from) / 4 }, (_, i) => bytes.readInt32LE(start + from + 4 * i));
    images.set(name, { width, height, channels: channels === 3 ? 3 : 1, data });
  }
  return { images, attributes };
}

const { images, attributes } = readFixture(new URL("../../fixtures/ops/images.safetensors", import.meta.url));
const named = (name: string): ByteImage => {
  const image = images.get(name);
  if (image === undefined) throw new Error(`the fixture has no ${name}`);
  return image;
};
const image = named("source.image");
const mask = named("source.mask");

type Attributes = Record<string, number> & { op: string; mode: "bilinear" | "bicubic" | "nearest"; size: number[] };

const operations: Record<string, (a: Attributes) => ByteImage> = {
  resize: ({ mode, size: [height = 0, width = 0] }) =>
    mode === "nearest" ? resizeNearest(mask, { width, height }) : resize(image, { width, height }, mode),
  gaussian_blur: ({ sigma = 0 }) => gaussianBlur(image, sigma),
  rotate: ({ mode, degrees_counterclockwise: degrees = 0, fill = 0 }) =>
    mode === "nearest" ? rotateNearest(mask, degrees, fill) : rotateBilinear(image, degrees, fill),
  brightness: ({ factor = 0 }) => brightness(image, factor),
  contrast: ({ factor = 0 }) => contrast(image, factor),
  saturation: ({ factor = 0 }) => saturation(image, factor),
  hue: ({ factor = 0 }) => hue(image, factor),
  horizontal_flip: () => horizontalFlip(image),
  crop: ({ left = 0, top = 0, width = 0, height = 0 }) => crop(image, { left, top, width, height }),
  pad: ({ left = 0, top = 0, right = 0, bottom = 0, fill = 0 }) => pad(image, { left, top, right, bottom }, fill),
};

describe("byte images equal Pillow", () => {
  const cases = Object.keys(attributes).filter((name) => name !== "source");

  test("has all cases of the fixture", () => {
    expect(cases.length).toBe(images.size - 2);
    expect(cases.length).toBeGreaterThan(30);
  });

  test.each(cases)("%s", (name) => {
    const text = JSON.parse(attributes[name] ?? "{}") as Attributes;
    const operation = operations[text.op];
    if (operation === undefined) throw new Error(`no operation ${text.op}`);
    const got = operation(text);
    const golden = named(`${name}.output`);
    expect([got.width, got.height, got.channels]).toEqual([golden.width, golden.height, golden.channels]);
    expect(Buffer.compare(got.data, golden.data)).toBe(0);
  });
});

describe("byte images", () => {
  test("permutes channels", () => {
    const pixel: ByteImage = { width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) };
    expect([...permuteChannels(pixel, [2, 0, 1]).data]).toEqual([3, 1, 2]);
  });

  test("keeps constant areas exactly constant", () => {
    const flat: ByteImage = { width: 40, height: 30, channels: 3, data: new Uint8Array(3600).fill(255) };
    for (const out of [
      resize(flat, { width: 61, height: 17 }, "bicubic"),
      gaussianBlur(flat, 0.7),
      rotateBilinear(flat, 7, 255),
    ]) {
      expect(out.data.every((value) => value === 255)).toBe(true);
    }
  });

  test("refuses a crop outside", () => {
    expect(() => crop(image, { left: 40, top: 0, width: 20, height: 5 })).toThrow(
      "crop: 20x5 at column 40, row 0 leaves an image of 48x37",
    );
  });
});

describe("pictures of floats go the ways of bytes", () => {
  const floats = (bytes: ByteImage): FloatImage => ({ ...bytes, data: Float32Array.from(bytes.data) });
  const size = { width: 61, height: 37 };
  const changes: Record<string, <P extends Picture>(picture: P) => P> = {
    "bicubic resize": (picture) => resize(picture, size, "bicubic"),
    "bilinear resize": (picture) => resize(picture, { width: 9, height: 140 }, "bilinear"),
    "nearest resize": (picture) => resizeNearest(picture, size),
    blur: (picture) => gaussianBlur(picture, 0.8),
    rotation: (picture) => rotateBilinear(picture, 7, 0),
    brightness: (picture) => brightness(picture, 1.1),
    contrast: (picture) => contrast(picture, 0.6),
    saturation: (picture) => saturation(picture, 1.4),
    hue: (picture) => hue(picture, 0.04),
    channels: (picture) => permuteChannels(picture, [2, 0, 1]),
    flip: horizontalFlip,
    crop: (picture) => crop(picture, { left: 3, top: 2, width: 8, height: 9 }),
    padding: (picture) => pad(picture, { left: 1, right: 2, top: 3, bottom: 4 }, 255),
  };
  // Bytes are rounded or cut off after every pass, hue has 256 steps of which one moves a channel by several levels.
  const allowed: Record<string, number> = {
    "bicubic resize": 2,
    "bilinear resize": 2,
    blur: 6,
    hue: 12,
    saturation: 2,
  };

  test.each(Object.entries(changes))("%s", (name, change) => {
    const [bytes, found] = [change(image), change(floats(image))];
    expect(found).toMatchObject({ width: bytes.width, height: bytes.height, channels: 3 });
    expect(found.data).toBeInstanceOf(Float32Array);
    const differences = bytes.data.map((value, at) => Math.abs(value - (found.data[at] ?? Number.NaN)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(allowed[name] ?? 1);
    expect(Math.min(...found.data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...found.data)).toBeLessThanOrEqual(255);
  });

  test("levels between bytes survive every change", () => {
    const moved = { ...image, data: Float32Array.from(image.data, (value, at) => value * 0.9 + 5 + (at % 7) / 100) };
    for (const [name, change] of Object.entries(changes)) {
      if (name !== "crop") expect(new Set(change(moved).data).size, name).toBeGreaterThan(300);
    }
    const statistics = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
    const normalised = normalise({ ...moved, data: Float32Array.of(127.5, 127.755, 0) }, statistics);
    expect([...normalised]).toEqual([0, expect.closeTo(0.004, 6), -2]);
  });
});
