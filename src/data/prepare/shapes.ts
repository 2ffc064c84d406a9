import { DataError } from "../../errors.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { decodePng } from "../codec/png.ts";
import type { Size } from "../image/image.ts";
import { areaOf, bitmapSpans, polygonSpans, type Ring, type Spans } from "../masks/polygon.ts";
import { decodeRuns, RunFault, type RunLengths } from "../masks/rle.ts";

/** Where a drawn object lies. Plain data, so that it can travel to threads. */
export type Outline =
  /** Polygons with their holes, in pixels, or in shares of the picture's sides. */
  | { readonly kind: "polygons"; readonly polygons: readonly (readonly Ring[])[]; readonly relative?: true }
  | ({ readonly kind: "runs" } & RunLengths)
  /** A PNG (base64) of 0 and other values, its upper left corner at whole pixels. */
  | { readonly kind: "bitmap"; readonly left: number; readonly top: number; readonly png: string };

/** An object that someone drew. */
export interface Shape {
  /** Its class, or 255 for what is to be ignored. */
  readonly label: number;
  readonly outline: Outline;
  /** Its place in the annotation file, for messages: `annotation 12`. */
  readonly place: string;
  /** Shapes of one group are parts of one object; undefined: an object of its own. */
  readonly group?: string | undefined;
}

/** A shape's pixels in a picture. */
interface Drawn {
  readonly shape: Shape;
  readonly spans: Spans;
  readonly area: number;
}

function scaled(rings: readonly Ring[], { width, height }: Size): Ring[] {
  return rings.map((ring) => ring.map((value, at) => value * (at % 2 === 0 ? width : height)));
}

/** Throws DataError naming `file` and the shape where its code or its size does not fit the picture. */
function spansOf({ outline, place }: Shape, size: Size, file: string): Spans {
  if (outline.kind === "polygons") {
    const { polygons, relative } = outline;
    return polygons.flatMap((rings) => polygonSpans(relative ? scaled(rings, size) : rings, size));
  }
  if (outline.kind === "bitmap") {
    const png = decodePng(Buffer.from(outline.png, "base64"), `${file}, ${place}`);
    const bits = png.channels === 1 ? png.samples : png.samples.filter((_, at) => at % png.channels === 0);
    return bitmapSpans(bits, png, outline, size);
  }
  if (outline.width !== size.width || outline.height !== size.height) {
    throw new DataError(
      `${file}: ${place} is a run-length mask of ${outline.width}x${outline.height} pixels, its picture has ` +
        `${size.width}x${size.height}; export both from the same pictures`,
    );
  }
  try {
    return bitmapSpans(decodeRuns(outline), size, { left: 0, top: 0 }, size);
  } catch (error) {
    if (!(error instanceof RunFault)) throw error;
    throw new DataError(`${file}: the run-length code of ${place} is damaged: ${error.message}; export it again`);
  }
}

/**
 * Paints shapes: what is to be ignored first, then the larger before the smaller, so that an object inside another is not
 * hidden; equals in the order of the file. `paint` gets each shape's pixels with its class and the number of its object,
 * from `first` on, 0 of what is ignored. Returns how many objects have pixels in the picture. Throws DataError naming `file`.
 */
export function paintShapes(
  shapes: readonly Shape[],
  { size, file, first }: { readonly size: Size; readonly file: string; readonly first: number },
  paint: (start: number, length: number, label: number, object: number) => void,
): number {
  const drawn = shapes.map((shape): Drawn => {
    const spans = spansOf(shape, size, file);
    return { shape, spans, area: areaOf(spans) };
  });
  const isIgnored = ({ shape }: Drawn) => Number(shape.label === IGNORE_LABEL);
  const numbers = new Map<string, number>();
  const numberOf = ({ shape: { label, group }, area }: Drawn, at: number) => {
    if (label === IGNORE_LABEL || area === 0) return 0;
    const key = group === undefined ? `#${at}` : `${label} ${group}`;
    const number = numbers.get(key) ?? first + numbers.size;
    numbers.set(key, number);
    return number;
  };
  // Numbered in the order of the file, painted in the order of sizes.
  const numbered = drawn.map((one, at) => ({ ...one, object: numberOf(one, at) }));
  numbered.sort((a, b) => isIgnored(b) - isIgnored(a) || b.area - a.area);
  for (const { spans, shape, object } of numbered) {
    for (let at = 0; at < spans.length; at += 2) paint(spans[at] ?? 0, spans[at + 1] ?? 0, shape.label, object);
  }
  return numbers.size;
}
