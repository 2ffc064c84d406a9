import type { ByteImage } from "../image/image.ts";
import { drawn, type FloatImage } from "../image/image.ts";
import { type Distribution, distributionOf, type Minimum, type ValueSlices } from "./distribution.ts";
import type { Numbers, ValueSlice } from "./values.ts";

/**
 * `low` and below become 0, `high` and above 255, linear between; a `sigmoid` rises about their middle as DICOM's does
 * (PS3.3 C.11.2.1.3.1) and reaches neither.
 */
export interface Window {
  readonly low: number;
  readonly high: number;
  readonly curve?: "sigmoid";
}

/** How values are shown. */
export interface View {
  readonly window: Window;
  /** This value says that nothing was measured. */
  readonly padding?: number | undefined;
  /** Low values are shown bright (MONOCHROME1, WhiteIsZero). */
  readonly inverted?: boolean | undefined;
}

/** A view with the words that say how it was chosen. */
export interface ChosenView extends View {
  readonly why: string;
}

/** The windows that may be named for a file, the first that is there holds; without any its percentiles are taken. */
export interface WindowWishes {
  /** `--window`. */
  readonly asked?: Window | undefined;
  /** What a network was trained with. */
  readonly trained?: Window | undefined;
  /** What dataset.yaml says of its pictures. */
  readonly dataset?: Window | undefined;
  /** What the file itself asks for. */
  readonly file?: Window | undefined;
  readonly inverted?: boolean | undefined;
}

/** Shares of the values left below and above. */
export const PERCENTILES = { low: 0.005, high: 0.995 } as const;

/** No measurement is this large: such values say "no data", unless all are. */
export const LARGEST_MEASURED = 2 ** 60;

/** Values that programs write where nothing was measured, wherever they stand. */
const KNOWN_PADDING: ReadonlySet<number> = new Set([-2000, -3024, -9999, -32768, -99999]);
/** Padding lies at least this share of the others' range below them. */
const PADDING_GAP = 1 / 3;
const LEAST_PADDING = { share: 0.001, values: 16 } as const;

/**
 * How a file's values are shown: the one place where this is decided, for pictures, scans and arrays. `slices` is called
 * once or twice where no window is named, and then must give all values of what is to be shown alike.
 */
export function chooseView(slices: () => ValueSlices, wishes: WindowWishes = {}): ChosenView {
  const { asked, trained, dataset, file, inverted } = wishes;
  const named = [
    [asked, "as asked for"],
    [trained, "as the training data"],
    [dataset, "as dataset.yaml says"],
    [file, "as the file asks"],
  ] as const;
  for (const [window, why] of named) if (window !== undefined) return { window, why, inverted };
  return { ...percentileView(slices), inverted };
}

/**
 * The smallest value, where it stands for "nothing measured": negative, found often (0.1 %, at least 16 times) in a
 * corner or known as such a value, and further below the others' percentiles than a third of the range between these.
 */
function paddingOf(values: Distribution & { readonly minimum: Minimum }): number | undefined {
  const { minimum, count } = values;
  const often = minimum.count >= Math.max(LEAST_PADDING.values, LEAST_PADDING.share * count);
  if (!often || minimum.value >= 0 || !(minimum.inCorner || KNOWN_PADDING.has(minimum.value))) return undefined;
  const others = values.without(minimum.value);
  if (others.count === 0) return undefined;
  const [low = 0, high = 0] = others.quantiles([PERCENTILES.low, PERCENTILES.high]);
  return high > low && low - minimum.value >= PADDING_GAP * (high - low) ? minimum.value : undefined;
}

/** From the 0.5th to the 99.5th percentile (linear between ranks, as numpy.percentile) of all values that were measured. */
function percentileView(slices: () => ValueSlices): ChosenView {
  const all = distributionOf(slices, LARGEST_MEASURED);
  if (all.count === 0) return { window: { low: 0, high: 0 }, why: "no value is a number: black" };
  const padding = paddingOf(all);
  const measured = padding === undefined ? all : all.without(padding);
  const shares = [PERCENTILES.low, PERCENTILES.high];
  let [low = 0, high = 0] = measured.quantiles(shares);
  const spoken = padding === undefined ? "" : `, ${padding} left out as padding`;
  if (high > low) return { window: { low, high }, why: `its 0.5th to 99.5th percentile${spoken}`, padding };
  // A few bright values on an empty background: both percentiles fall into the background.
  const others = measured.without(low);
  if (others.count === 0) return { window: { low, high }, why: `all values are equal: black${spoken}`, padding };
  const [least = low, most = high] = others.quantiles(shares);
  [low, high] = [Math.min(low, least), Math.max(high, most)];
  return { window: { low, high }, why: `percentiles of what differs from its background${spoken}`, padding };
}

/** Values as a view shows them, 0 (black) to 255 (white), not rounded; what was not measured is black. */
export function shownValues(values: Numbers, { window, padding, inverted = false }: View): Float32Array {
  const { low, high, curve } = window;
  const largest = Math.max(Math.abs(low), Math.abs(high)) < LARGEST_MEASURED ? LARGEST_MEASURED : Number.MAX_VALUE;
  const range = high > low ? high - low : Number.POSITIVE_INFINITY;
  const middle = (low + high) / 2;
  const out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    if (!(Math.abs(value) < largest) || value === padding) continue;
    const linear = Math.min(255, Math.max(0, ((value - low) * 255) / range));
    const shown = curve === "sigmoid" ? 255 / (1 + Math.exp((-4 * (value - middle)) / range)) : linear;
    out[at] = inverted && high > low ? 255 - shown : shown;
  }
  return out;
}

/** A slice of one channel as a view shows it. */
export function shownSlice({ width, height, values }: Omit<ValueSlice, "nonFinite">, view: View): FloatImage {
  return { width, height, channels: 1, data: shownValues(values, view) };
}

/** {@link shownSlice} as bytes, to be stored or drawn. */
export function drawnSlice(slice: Omit<ValueSlice, "nonFinite">, view: View): ByteImage {
  return drawn(shownSlice(slice, view));
}

const short = (value: number): string => String(Number(value.toPrecision(6)));

/** `-160 to 240`. */
export const rangeText = ({ low, high }: Pick<Window, "low" | "high">): string => `${short(low)} to ${short(high)}`;

/** `shown from -160 to 240 (as asked for)`. */
export function viewText({ window, why, inverted }: ChosenView): string {
  const curve = window.curve === undefined ? "" : `, ${window.curve}`;
  return `shown from ${rangeText(window)} (${why}${curve}${inverted ? ", low values bright" : ""})`;
}

/** {@link viewText} of several files or images: once where it is the same for all, else the narrowest and the widest. */
export function viewsText(views: readonly ChosenView[]): string {
  const texts = new Set(views.map(viewText));
  const [only] = texts;
  if (only !== undefined && texts.size === 1) return only;
  const reasons = [...new Set(views.map(({ why }) => why))];
  const ordered = views.map(({ window }) => window).sort((a, b) => a.high - a.low - (b.high - b.low));
  const [narrowest = { low: 0, high: 0 }] = ordered;
  const widest = ordered.at(-1) ?? narrowest;
  const more = reasons.length > 1 ? ` and ${reasons.length - 1} more reasons` : "";
  return `each shown from its own window (${reasons[0]}${more}), the narrowest ${rangeText(narrowest)}, the widest ${rangeText(widest)}`;
}
