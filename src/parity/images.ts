import { gaussianBlur } from "../data/image/box-blur.ts";
import { brightness, contrast, hue, saturation } from "../data/image/colour.ts";
import { type ByteImage, crop, horizontalFlip, pad } from "../data/image/image.ts";
import { resize, resizeNearest } from "../data/image/resample.ts";
import { rotateBilinear, rotateNearest } from "../data/image/rotate.ts";
import type { Attributes } from "./attributes.ts";
import type { Checker } from "./check-files.ts";
import type { Produced } from "./compare.ts";
import { FixtureError, type FixtureFile, type FixtureTensor } from "./fixture.ts";
import { TOLERANCE } from "./tolerance.ts";

type ImageOp = (image: ByteImage, attributes: Attributes) => ByteImage;

function checkResize(image: ByteImage, attributes: Attributes): ByteImage {
  const mode = attributes.choice("mode", ["bicubic", "bilinear", "nearest"]);
  const [height = 0, width = 0, ...more] = attributes.numbers("size");
  if (more.length > 0) throw new FixtureError("a size has two numbers");
  if (mode === "nearest") return resizeNearest(image, { width, height });
  if (!attributes.flag("antialias")) throw new FixtureError("resizing without antialias is not part of the format");
  return resize(image, { width, height }, mode);
}

function checkRotate(image: ByteImage, attributes: Attributes): ByteImage {
  const rotate = { bilinear: rotateBilinear, nearest: rotateNearest };
  const mode = attributes.choice("mode", ["bilinear", "nearest"]);
  return rotate[mode](image, attributes.number("degrees_counterclockwise"), attributes.integer("fill"));
}

function checkCrop(image: ByteImage, attributes: Attributes): ByteImage {
  const side = (key: string) => attributes.integer(key);
  return crop(image, { left: side("left"), top: side("top"), width: side("width"), height: side("height") });
}

function checkPad(image: ByteImage, attributes: Attributes): ByteImage {
  attributes.remarks("order");
  const side = (key: string) => attributes.integer(key);
  const border = { left: side("left"), right: side("right"), top: side("top"), bottom: side("bottom") };
  return pad(image, border, side("fill"));
}

const OPS = {
  resize: checkResize,
  gaussian_blur: (image, attributes) => gaussianBlur(image, attributes.number("sigma")),
  rotate: checkRotate,
  brightness: (image, attributes) => brightness(image, attributes.number("factor")),
  contrast: (image, attributes) => contrast(image, attributes.number("factor")),
  saturation: (image, attributes) => saturation(image, attributes.number("factor")),
  hue: (image, attributes) => hue(image, attributes.number("factor")),
  horizontal_flip: horizontalFlip,
  crop: checkCrop,
  pad: checkPad,
} satisfies Record<string, ImageOp>;

const OP_NAMES = Object.keys(OPS) as (keyof typeof OPS)[];

/** The case that holds the pictures all others start from. */
const SOURCE = "source";

/** Bytes `[row, column, 3]`, or of a mask `[row, column]`, as an image. */
function toImage({ name, shape, data }: FixtureTensor, withChannels: boolean): ByteImage {
  const [height = 0, width = 0, ...rest] = shape;
  const channels = withChannels ? 3 : 1;
  if (shape.length < 2 || rest.join() !== (withChannels ? "3" : "")) {
    throw new FixtureError(
      `tensor "${name}" of shape [${shape.join(", ")}] is no ${withChannels ? "picture" : "mask"}`,
    );
  }
  if (data.some((value) => value < 0 || value > 255)) throw new FixtureError(`tensor "${name}" holds more than bytes`);
  return { width, height, channels, data: Uint8Array.from(data) };
}

/** A picture in the golden tensor's layout: masks have no channel axis. */
function produced({ height, width, channels, data }: ByteImage, withChannels: boolean): Produced {
  return { shape: withChannels ? [height, width, channels] : [height, width], data };
}

function checkCase(file: FixtureFile, name: string): { expected: FixtureTensor; got: Produced } {
  const golden = file.case(name);
  const op: ImageOp = OPS[golden.attributes.choice("op", OP_NAMES)];
  const expected = golden.int("output");
  const withChannels = expected.shape.length === 3;
  const source = toImage(file.takeInt(`${SOURCE}.${withChannels ? "image" : "mask"}`), withChannels);
  return { expected, got: produced(op(source, golden.attributes), withChannels) };
}

/** ops/images: every operation on the source picture or mask equals the golden bytes. */
export const checkImages: Checker = async (file, report) => {
  file.attributes(SOURCE);
  for (const name of file.caseNames()) {
    if (name === SOURCE) continue;
    await report.inCase(name, () => {
      const { expected, got } = checkCase(file, name);
      report.compare(name, expected, got, TOLERANCE.image);
    });
  }
};
