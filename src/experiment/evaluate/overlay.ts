import type { Rgb } from "../../data/codec/png-read.ts";
import { type ByteImage, filled } from "../../data/image/image.ts";
import { IGNORE_LABEL } from "../../labels.ts";

/** A label map with its size. */
export interface LabelMap {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/**
 * What a prediction's pixel is beside the truth: of Okabe and Ito's palette (2008) four colours that stay apart without red,
 * green or blue cones.
 */
export const VERDICTS = {
  hit: [86, 180, 233],
  missed: [213, 94, 0],
  false: [240, 228, 66],
  /** Foreground in both, of another class. */
  other: [0, 114, 178],
} as const satisfies Record<string, Rgb>;

export type Verdict = keyof typeof VERDICTS;

/** Shares of a tint in what is shown: inside what is right, inside what is wrong, at edges. */
const [RIGHT, WRONG, EDGE] = [0.3, 0.6, 0.95];

/** The image, at its own size, with each class tinted and outlined in its colour. */
export function overlay(image: ByteImage, prediction: LabelMap, colours: readonly Rgb[]): ByteImage {
  const labels = stretched(prediction, image);
  return tinted(image, (at, x, y) => {
    const label = labels.data[at] ?? 0;
    if (label === 0) return undefined;
    return { colour: colours[label] ?? VERDICTS.hit, share: isEdge(labels, x, y) ? EDGE : RIGHT };
  });
}

/** The image, at its own size, with what was found, missed and wrongly found in the colours of {@link VERDICTS}. */
export function judgedOverlay(image: ByteImage, prediction: LabelMap, target: LabelMap): ByteImage {
  const verdicts = verdictsOf(stretched(prediction, image), stretched(target, image));
  return tinted(image, (at, x, y) => {
    const verdict = NAMES[verdicts.data[at] ?? 0];
    if (verdict === undefined) return undefined;
    const inside = verdict === "hit" ? RIGHT : WRONG;
    return { colour: VERDICTS[verdict], share: isEdge(verdicts, x, y) ? EDGE : inside };
  });
}

/** By the number that stands for each verdict in a map; 0 is background and what is ignored. */
const NAMES: readonly (Verdict | undefined)[] = [undefined, "hit", "missed", "false", "other"];

function verdictsOf(prediction: LabelMap, target: LabelMap): LabelMap {
  const data = Uint8Array.from({ length: prediction.data.length }, (_, at) => {
    const [label, truth] = [prediction.data[at] ?? 0, target.data[at] ?? 0];
    if (truth === IGNORE_LABEL || (label === 0 && truth === 0)) return 0;
    if (label === truth) return NAMES.indexOf("hit");
    if (label === 0) return NAMES.indexOf("missed");
    return NAMES.indexOf(truth === 0 ? "false" : "other");
  });
  return { width: prediction.width, height: prediction.height, data };
}

interface Tint {
  readonly colour: Rgb;
  readonly share: number;
}

function tinted(image: ByteImage, tintAt: (at: number, x: number, y: number) => Tint | undefined): ByteImage {
  const out = filled(image, 3, 0);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const at = y * image.width + x;
      const tint = tintAt(at, x, y);
      const base = pixel(image, at);
      out.data.set(tint ? mixed(base, tint) : base, at * 3);
    }
  }
  return out;
}

/** The label map at another size, each pixel with the label of the nearest one. */
function stretched(map: LabelMap, { width, height }: { readonly width: number; readonly height: number }): LabelMap {
  if (map.width === width && map.height === height) return map;
  const nearest = (to: number, from: number) =>
    Uint32Array.from({ length: to }, (_, at) => Math.floor(((at + 0.5) * from) / to));
  const [rows, columns] = [nearest(height, map.height), nearest(width, map.width)];
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data[y * width + x] = map.data[(rows[y] ?? 0) * map.width + (columns[x] ?? 0)] ?? 0;
  }
  return { width, height, data };
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
