import type { Rgb } from "../../data/codec/png.ts";
import { type ByteImage, filled } from "../../data/image/image.ts";
import { IGNORE_LABEL } from "../../labels.ts";

/** A label map with its size. */
interface LabelMap {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/**
 * The image with each class tinted and outlined in its colour. With `target` also the truth: missed pixels are tinted
 * with `MISSED`, wrongly found ones keep the class colour but get a dark outline, so that errors show at a glance.
 */
export function overlay(image: ByteImage, prediction: LabelMap, colours: readonly Rgb[], target?: LabelMap): ByteImage {
  const { width, height, data } = prediction;
  const out = filled({ width, height }, 3, 0);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const label = data[at] ?? 0;
      const truth = target?.data[at] ?? label;
      const base = pixel(image, at);
      out.data.set(mixed(base, tint(label, truth, isEdge(prediction, x, y), colours)), at * 3);
    }
  }
  return out;
}

/** Colour of pixels the truth holds and the prediction does not. */
const MISSED: Rgb = [255, 64, 64];

interface Tint {
  readonly colour: Rgb;
  readonly share: number;
}

function tint(label: number, truth: number, edge: boolean, colours: readonly Rgb[]): Tint {
  if (label === 0) return { colour: MISSED, share: truth !== 0 && truth !== IGNORE_LABEL ? 0.55 : 0 };
  const colour = colours[label] ?? MISSED;
  const wrong = truth !== label && truth !== IGNORE_LABEL;
  if (edge) return wrong ? { colour: [32, 32, 32], share: 0.85 } : { colour, share: 0.95 };
  return { colour, share: wrong ? 0.55 : 0.3 };
}

function mixed(base: Rgb, { colour, share }: Tint): Rgb {
  const mix = (a: number, b: number) => Math.round(a * (1 - share) + b * share);
  return [mix(base[0], colour[0]), mix(base[1], colour[1]), mix(base[2], colour[2])];
}

function pixel({ data, channels }: ByteImage, at: number): Rgb {
  const value = (c: number) => data[at * channels + (channels === 3 ? c : 0)] ?? 0;
  return [value(0), value(1), value(2)];
}

/** True for a labelled pixel with a neighbour of another label to the right, below, left or above. */
function isEdge({ data, width, height }: LabelMap, x: number, y: number): boolean {
  const at = y * width + x;
  const label = data[at];
  return (
    (x > 0 && data[at - 1] !== label) ||
    (x + 1 < width && data[at + 1] !== label) ||
    (y > 0 && data[at - width] !== label) ||
    (y + 1 < height && data[at + width] !== label)
  );
}

/** Pictures side by side with a white gap, for a person to compare: equal heights. */
export function sideBySide(images: readonly ByteImage[], gap = 4): ByteImage {
  const height = Math.max(...images.map((image) => image.height));
  const width = images.reduce((sum, image) => sum + image.width, 0) + gap * (images.length - 1);
  const out = filled({ width, height }, 3, 255);
  let left = 0;
  for (const image of images) {
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < image.width; x++) out.data.set(pixel(image, y * image.width + x), (y * width + left + x) * 3);
    }
    left += image.width + gap;
  }
  return out;
}

/** `image` enlarged by a whole factor, so that small objects can be seen. */
export function enlarged(image: ByteImage, factor: number): ByteImage {
  const width = image.width * factor;
  const out = filled({ width, height: image.height * factor }, 3, 0);
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < width; x++) {
      const from = Math.floor(y / factor) * image.width + Math.floor(x / factor);
      out.data.set(pixel(image, from), (y * width + x) * 3);
    }
  }
  return out;
}

/** A label map enlarged like {@link enlarged}. */
export function enlargedLabels({ width, height, data }: LabelMap, factor: number): LabelMap {
  const out = new Uint8Array(width * height * factor * factor);
  for (let i = 0; i < out.length; i++) {
    const y = Math.floor(i / (width * factor));
    const x = i - y * width * factor;
    out[i] = data[Math.floor(y / factor) * width + Math.floor(x / factor)] ?? 0;
  }
  return { width: width * factor, height: height * factor, data: out };
}
