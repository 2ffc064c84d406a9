import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import type { ByteImage } from "../image/image.ts";
import { hex, isAlphaOnly, placeIn, type StoredMask, type Values, whiteIsZeroAdvice } from "./stored-mask.ts";

/** What the numbers of masks mean. Plain data, so that it can travel to threads and into dataset.yaml. */
export type MaskReading =
  /** Class numbers from 0 to 254; 255 = ignore. */
  | { readonly kind: "classes" }
  /** Each number has the class that stands behind it, [value, class]; 0 is background where it is not named. */
  | { readonly kind: "map"; readonly levels: readonly (readonly [value: number, label: number])[] }
  /** Numbers from `at` on are class 1, below it background. */
  | { readonly kind: "threshold"; readonly at: number }
  /** Each colour has a class, [0xRRGGBB, class]; black is background where it is not named. */
  | { readonly kind: "palette"; readonly colours: readonly (readonly [colour: number, label: number])[] }
  /** Each number but 0 is one object; all are class 1, and the numbers are kept beside. */
  | { readonly kind: "instances" }
  /** What is shown half as bright as white and more is class 1: a picture drawn in black and white. */
  | { readonly kind: "white" };

/** Numbers this near to whole ones are meant as whole: what is left of a scaling by slope and intercept. */
export const WHOLE_WITHIN = 1e-4;

/** `value`, or the whole number next to it where that is what it means. */
export function whole(value: number): number {
  const rounded = Math.round(value);
  // What float32 itself rounds off is no one's doing.
  return Math.abs(value - rounded) <= WHOLE_WITHIN + Math.abs(value) * 2 ** -23 ? rounded + 0 : value;
}

/** A number as messages show it. */
export const shown = (value: number): string => String(Number(value.toPrecision(6)));

type PlaceOf = LabelSource["placeOf"];

const cannot = (file: string, what: string, place: string, cure: string) =>
  new DataError(`${file}: holds ${what} at ${place}; ${cure}`);

/** What numbers are read from, for messages, and which classes there may be. */
export interface LabelSource {
  readonly file: string;
  /** The highest class. */
  readonly largest: number;
  /** Whether 255 among class numbers means "ignore", as in label pictures. */
  readonly ignore: boolean;
  readonly placeOf: (index: number) => string;
}

/** The class of one number. Throws DataError where the reading gives it none: what is no class is refused, never rounded. */
function classReader(reading: MaskReading, { file, largest, ignore }: LabelSource) {
  if (reading.kind === "threshold") return (value: number) => Number(value >= reading.at);
  if (reading.kind === "instances") return (value: number) => Number(value > 0);
  if (reading.kind === "map") {
    const levels = new Map([[0, 0] as const, ...reading.levels]);
    const named = [...levels].map(([value, label]) => `${shown(value)}=${label === IGNORE_LABEL ? "ignore" : label}`);
    return (value: number, place: () => string) => {
      const label = levels.get(whole(value));
      if (label !== undefined) return label;
      throw cannot(
        file,
        `the value ${shown(value)}`,
        place(),
        `--map has no class for it (${named.join(", ")}); add it`,
      );
    };
  }
  return (value: number, place: () => string) => {
    const label = whole(value);
    if ((label >= 0 && label <= largest && Number.isInteger(label)) || (ignore && label === IGNORE_LABEL)) return label;
    const what = Number.isInteger(label) ? `the value ${shown(label)}` : `the value ${shown(value)}, no whole number`;
    throw cannot(file, what, place(), cureFor(label, largest));
  };
}

function cureFor(value: number, largest: number): string {
  if (!Number.isInteger(value)) {
    return "it is a soft mask or a scan: cut it with --threshold 0.5 of svanet data prepare, or give class numbers";
  }
  return (
    `classes are 0 to ${largest}: say what it means with --map ${value}=1 (or ${value}=ignore) of svanet data prepare ` +
    "folder, nifti or npz, or name all classes"
  );
}

/** Classes for numbers, one byte each. Throws DataError as `classReader` does. */
export function readLevels(values: Values, reading: MaskReading, source: LabelSource): Uint8Array {
  const read = classReader(reading, source);
  const out = new Uint8Array(values.length);
  for (let at = 0; at < out.length; at++) out[at] = read(values[at] ?? 0, () => source.placeOf(at));
  return out;
}

/** The colours of a mask's pixels, also where they stand in a palette or are grey. */
function coloursOf({ kind, values, palette, white, whiteIsZero, file }: StoredMask): Uint32Array {
  if (kind === "colour") return Uint32Array.from(values);
  const grey = (level: number) => Math.round(((whiteIsZero ? white - level : level) * 255) / white) * 0x010101;
  return Uint32Array.from(values, (value) => {
    const [red = -1, green = 0, blue = 0] = palette?.[value] ?? (palette === undefined ? [0, 0, 0] : []);
    if (red < 0) throw new DataError(`${file}: palette index ${value} has no colour; restore the file from its source`);
    return palette === undefined ? grey(value) : (red << 16) | (green << 8) | blue;
  });
}

function readColours(mask: StoredMask, { colours }: MaskReading & { kind: "palette" }, placeOf: PlaceOf): Uint8Array {
  const labels = new Map([[0, 0] as const, ...colours]);
  return Uint8Array.from(coloursOf(mask), (colour, pixel) => {
    const label = labels.get(colour);
    if (label !== undefined) return label;
    throw cannot(mask.file, `the colour ${hex(colour)}`, placeOf(pixel), "--palette has no class for it; add it");
  });
}

/** What a mask that is to be read by numbers holds instead of them, with the option that helps. */
function requireLevels(mask: StoredMask, reading: MaskReading, placeOf: PlaceOf): void {
  if (mask.kind === "colour") {
    const pixel = mask.values.findIndex(
      (value) => value >> 16 !== (value & 255) || value >> 16 !== ((value >> 8) & 255),
    );
    const colour = hex(mask.values[pixel] ?? 0);
    throw cannot(
      mask.file,
      `colours (first: ${colour})`,
      placeOf(pixel),
      `a class is a pixel's number: map colours with svanet data prepare folder --palette "${colour}=1"`,
    );
  }
  if (reading.kind !== "classes" && reading.kind !== "instances") return;
  if (!mask.exact) {
    throw new DataError(
      `${mask.file}: a mask stored as ${mask.mode} keeps no exact class numbers; svanet data prepare folder --threshold 128 ` +
        "reads it where it is black and white, else export it as PNG",
    );
  }
  if (mask.whiteIsZero) {
    throw new DataError(
      `${mask.file}: the mask says that its 0 is shown white, and whether the stored or the shown is meant cannot be known; ` +
        `svanet data prepare folder: ${whiteIsZeroAdvice(mask.white)}`,
    );
  }
  if (isAlphaOnly(mask)) {
    throw new DataError(
      `${mask.file}: what the mask shows stands in its alpha alone, which is no class number; svanet data prepare folder ` +
        "--threshold 128 cuts the alpha, or write the classes as grey values",
    );
  }
}

/**
 * The class of every pixel of a mask, 255 = ignore, as `reading` says. `largest`: the highest class there may be. Throws
 * DataError naming file, value and place of the first pixel that has no class.
 */
export function readClasses(mask: StoredMask, reading: MaskReading, largest: number): ByteImage {
  const { width, height, file } = mask;
  const placeOf = (pixel: number) => placeIn(width, pixel);
  const image = (data: Uint8Array): ByteImage => ({ width, height, channels: 1, data });
  if (reading.kind === "palette") return image(readColours(mask, reading, placeOf));
  requireLevels(mask, reading, placeOf);
  if (reading.kind === "white") {
    const { white, whiteIsZero } = mask;
    const isWhite = (value: number) => (whiteIsZero ? white - value : value) >= (white + 1) / 2;
    return image(Uint8Array.from(mask.values, (value) => Number(isWhite(value))));
  }
  const shownByAlpha = reading.kind === "threshold" && isAlphaOnly(mask) ? mask.alpha : undefined;
  return image(readLevels(shownByAlpha ?? mask.values, reading, { file, largest, ignore: true, placeOf }));
}
