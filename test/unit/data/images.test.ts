import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { brightness, contrast, hue, permuteChannels, saturation } from "../../../src/data/image/colour.ts";
import { type ByteImage, crop, horizontalFlip, pad } from "../../../src/data/image/image.ts";
import { gaussianBlur, resize, resizeNearest } from "../../../src/data/image/resample.ts";
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
