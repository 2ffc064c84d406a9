/** Sides in pixels. */
interface Sides {
  readonly width: number;
  readonly height: number;
}

/** One object of the training masks: an 8-connected component of a class. */
export interface ObjectSize {
  /** Pixels it covers at the image's own size. */
  readonly pixels: number;
  /** Number of its image among {@link Fingerprint.images}. */
  readonly image: number;
}

/** A class over all training masks. */
export interface ClassFacts {
  readonly name: string;
  /** Its share of the pixels that count (all but the ignored), 0 to 1. */
  readonly share: number;
  /** Images that hold it. */
  readonly images: number;
}

/** What a plan knows of a data set, measured on its training images. */
export interface Fingerprint {
  readonly name: string;
  readonly folder: string;
  /** Sizes of the training images. */
  readonly images: readonly Sides[];
  /** Images that are validated on. */
  readonly validation: number;
  /** Millimetres between columns and between rows of each image that says so. */
  readonly spacings: readonly (readonly [column: number, row: number])[];
  /** By label, the background first. */
  readonly classes: readonly ClassFacts[];
  readonly objects: readonly ObjectSize[];
  /** Mean and deviation of each channel over all pixels, 0 (black) to 1 (white). */
  readonly intensities: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/**
 * The value below which a share of others lies (0 to 1), halfway between the nearest two ranks where it falls between: numpy's
 * linear percentile. NaN of no values.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return low + (at - Math.floor(at)) * (high - low);
}

/** Smallest, median and largest. */
export interface Spread {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export const spreadOf = (values: readonly number[]): Spread => ({
  least: quantile(values, 0),
  median: quantile(values, 0.5),
  most: quantile(values, 1),
});

/** Pixels that each object keeps where its image is stretched to a size; at the image's own size without one. */
export function keptPixels({ objects, images }: Pick<Fingerprint, "objects" | "images">, size?: Sides): number[] {
  return objects.map(({ pixels, image }) => {
    const own = images[image];
    if (size === undefined || own === undefined) return pixels;
    return (pixels * size.width * size.height) / (own.width * own.height);
  });
}

/** Diameter of a disc of so many pixels: what "so many pixels wide" means of an object of any shape. */
export const diameterOf = (pixels: number): number => 2 * Math.sqrt(pixels / Math.PI);

/** A fingerprint as it is printed: percentiles instead of every object. */
export interface FingerprintSummary {
  readonly images: number;
  readonly validation: number;
  readonly width: Spread;
  readonly height: Spread;
  /** Millimetres a pixel, of columns; null where no image says so. */
  readonly spacing: Spread | null;
  readonly classes: readonly ClassFacts[];
  /** Pixels at the images' own size; null without objects. */
  readonly objects: {
    readonly count: number;
    readonly smallestTenth: number;
    readonly median: number;
    readonly largestTenth: number;
  } | null;
  readonly intensities: Fingerprint["intensities"];
}

export function summaryOf(fingerprint: Fingerprint): FingerprintSummary {
  const { images, validation, spacings, classes, objects, intensities } = fingerprint;
  const pixels = keptPixels(fingerprint);
  return {
    images: images.length,
    validation,
    width: spreadOf(images.map(({ width }) => width)),
    height: spreadOf(images.map(({ height }) => height)),
    spacing: spacings.length === 0 ? null : spreadOf(spacings.map(([column]) => column)),
    classes,
    objects:
      objects.length === 0
        ? null
        : {
            count: objects.length,
            smallestTenth: quantile(pixels, 0.1),
            median: quantile(pixels, 0.5),
            largestTenth: quantile(pixels, 0.9),
          },
    intensities,
  };
}
