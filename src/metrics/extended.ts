import { BOOTSTRAP, type BootstrapOptions, bootstrap, type Interval } from "./bootstrap.ts";
import { type ImageLesions, type LesionResult, lesionResults, lesionScore, matchLesions } from "./lesions.ts";
import { ImageSet, onlyMeasured, type ScoredImage, type Summary } from "./summary.ts";
import { SURFACE_POLICY, SURFACE_TOLERANCE, type SurfaceScore, surfaceScore, withoutIgnored } from "./surface.ts";
import type { Labels } from "./totals.ts";

/** The metrics an interval is given for, in percent but for the absolute error, which is a fraction. */
const INTERVAL_METRICS = {
  mDice: ({ micro }: Summary) => micro.dice,
  mIoU: ({ micro }: Summary) => micro.iou,
  mae: ({ errors }: Summary) => errors.foreground,
  sensitivity: ({ micro }: Summary) => micro.recall,
  precision: ({ micro }: Summary) => micro.precision,
  f2: ({ micro }: Summary) => micro.f2,
  foregroundDice: ({ foregroundDice }: Summary) => foregroundDice,
  imageDice: ({ imageDice }: Summary) => imageDice,
  eMeasure: ({ alignment }: Summary) => alignment,
} as const;

export type IntervalMetric = keyof typeof INTERVAL_METRICS;

/** Bootstrap intervals over the images of a stratum, by metric. */
type Intervals = Readonly<Record<IntervalMetric, Interval>>;

/** Intervals of one stratum's metrics: its images are drawn with replacement and everything computed anew. */
export function intervalsOf(images: readonly ScoredImage[], options: BootstrapOptions = {}): Intervals {
  const classes = images[0]?.totals.classes ?? 0;
  const metrics = Object.values(INTERVAL_METRICS);
  const intervals = bootstrap(
    images.length,
    (times) => {
      const set = new ImageSet(classes);
      for (const [i, image] of images.entries()) {
        const count = times[i] ?? 0;
        if (count > 0) set.addScored(image, count);
      }
      const summary = onlyMeasured(set.summary());
      return metrics.map((metric) => metric(summary));
    },
    options,
  );
  return Object.fromEntries(Object.keys(INTERVAL_METRICS).map((name, k) => [name, intervals[k]])) as Intervals;
}

/** Border agreement of one class over images. */
export interface SurfaceResult {
  readonly class: number;
  /** Percent, mean over images by the policy for empty masks. */
  readonly surfaceDice: number;
  /** In the unit of the borders, mean over the images that have a distance; NaN unless one of them holds the class in both. */
  readonly hausdorff95: number;
  /** Mean over the images where both maps hold the class (`distances - bothEmpty` of them); NaN without any. */
  readonly hausdorff95Present: number;
  /** Images behind the distance: all but those where one map alone is empty. */
  readonly distances: number;
  /** Images without a distance, because the class was missed or invented there. */
  readonly notCounted: number;
  /** Images where neither map holds the class; they count with distance 0 and surface Dice 1. */
  readonly bothEmpty: number;
  /** Images whose class was not predicted at all; no distance. */
  readonly predictionEmpty: number;
  /** Images without the class, where it was predicted; no distance. */
  readonly targetEmpty: number;
}

/** Border agreement of a stratum. */
export interface SurfaceSummary {
  readonly images: number;
  /** Plain mean over foreground classes of their means over images, percent. */
  readonly surfaceDice: number;
  /** Plain mean over the foreground classes that have a distance, in the unit of the borders. */
  readonly hausdorff95: number;
  readonly classes: readonly SurfaceResult[];
}

/** All of it, for one data set. */
export interface ExtendedResult {
  /** How the intervals came about. */
  readonly bootstrap: Required<BootstrapOptions>;
  /** By stratum. */
  readonly intervals: Readonly<Record<string, Intervals>>;
  readonly lesions: readonly (LesionResult & { readonly intervals: Readonly<Record<LesionRate, Interval>> })[];
  readonly surface: {
    /** Pixels at the evaluated size, or millimetres where every image has a spacing. */
    readonly unit: LengthUnit;
    /** Distance by which borders may differ and still agree. */
    readonly tolerance: number;
    readonly policy: string;
    readonly strata: Readonly<Record<string, SurfaceSummary>>;
  };
}

/** What lengths are given in. */
export type LengthUnit = "px" | "mm";

const LESION_RATES = ["recall", "precision", "f1"] as const;
type LesionRate = (typeof LESION_RATES)[number];

export interface ExtendedOptions extends BootstrapOptions {
  readonly classes: number;
  /** Tolerance of surface Dice in {@link unit}. */
  readonly tolerance?: number;
  /** Unit of lengths: pixels by default; millimetres need the spacing of every image. */
  readonly unit?: LengthUnit;
}

interface ExtendedImage {
  readonly height: number;
  readonly width: number;
  readonly strata: readonly string[];
  /** Millimetres between rows and between columns of the maps. */
  readonly spacing?: readonly [row: number, column: number] | undefined;
}

interface Entry {
  readonly strata: readonly string[];
  /** By foreground class. */
  readonly lesions: readonly ImageLesions[];
  readonly surface: readonly SurfaceScore[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function surfaceResult(label: number, scores: readonly SurfaceScore[]): SurfaceResult {
  const empty = (kind: SurfaceScore["empty"]) => scores.filter((score) => score.empty === kind).length;
  const known = scores.map(({ hausdorff95 }) => hausdorff95).filter((distance) => !Number.isNaN(distance));
  const both = scores.filter((score) => score.empty === "none").map(({ hausdorff95 }) => hausdorff95);
  return {
    class: label,
    surfaceDice: 100 * mean(scores.map(({ dice }) => dice)),
    // Where the class was missed everywhere, the zeros of images without it would look like perfect borders.
    hausdorff95: both.length === 0 ? Number.NaN : mean(known),
    hausdorff95Present: mean(both),
    distances: known.length,
    notCounted: scores.length - known.length,
    bothEmpty: empty("both"),
    predictionEmpty: empty("prediction"),
    targetEmpty: empty("target"),
  };
}

/**
 * Metrics beyond the paper's: single objects, borders, and how far each number may be off. Gathers them image by
 * image; the maps are not kept.
 */
export class ExtendedEvaluation {
  readonly #options: ExtendedOptions;
  readonly #entries: Entry[] = [];

  constructor(options: ExtendedOptions) {
    this.#options = options;
  }

  /** Counts one image: maps `[height, width]`, and the strata it belongs to. */
  add(prediction: Labels, target: Labels, { height, width, strata, spacing: measured }: ExtendedImage): void {
    const { classes, tolerance = SURFACE_TOLERANCE, unit = "px" } = this.#options;
    const spacing = unit === "mm" ? measured : undefined;
    const shown = withoutIgnored(prediction, target);
    const labels = Array.from({ length: classes - 1 }, (_, c) => c + 1);
    this.#entries.push({
      strata,
      lesions: labels.map((label) => matchLesions(shown, target, { label, height, width })),
      surface: labels.map((label) => surfaceScore(shown, target, { label, height, width, spacing, tolerance })),
    });
  }

  /** Everything gathered. `kept`: the images' counts in the order they were added here. */
  result(strata: readonly string[], kept: readonly ScoredImage[]): ExtendedResult {
    const { tolerance = SURFACE_TOLERANCE, unit = "px", seed, resamples, level } = { ...BOOTSTRAP, ...this.#options };
    const draws = { seed, resamples, level };
    const places = (name: string) => [...this.#entries.keys()].filter((i) => this.#entries[i]?.strata.includes(name));
    const intervals = strata.map((name) => {
      const members = places(name).flatMap((i) => kept[i] ?? []);
      return [name, intervalsOf(members, draws)] as const;
    });
    const surface = strata.map((name) => [name, this.#surfaceOf(places(name))] as const);
    return {
      bootstrap: draws,
      intervals: Object.fromEntries(intervals),
      lesions: this.#lesions(draws),
      surface: { unit, tolerance, policy: SURFACE_POLICY, strata: Object.fromEntries(surface) },
    };
  }

  #surfaceOf(places: readonly number[]): SurfaceSummary {
    const classes = Array.from({ length: this.#options.classes - 1 }, (_, c) =>
      surfaceResult(
        c + 1,
        places.flatMap((i) => this.#entries[i]?.surface[c] ?? []),
      ),
    );
    const distances = classes.map(({ hausdorff95 }) => hausdorff95).filter((distance) => !Number.isNaN(distance));
    return {
      images: places.length,
      surfaceDice: mean(classes.map(({ surfaceDice }) => surfaceDice)),
      hausdorff95: mean(distances),
      classes,
    };
  }

  #lesions(draws: BootstrapOptions): ExtendedResult["lesions"] {
    return lesionResults(this.#entries.flatMap(({ lesions }) => lesions)).map((result, at) => {
      const counts = this.#entries.map(({ lesions }) => {
        const matched = (kind: "truth" | "predicted") =>
          lesions.flatMap((image) => image[kind]).filter((lesion) => lesion.matched[at] === true).length;
        const all = (kind: "truth" | "predicted") => lesions.reduce((sum, image) => sum + image[kind].length, 0);
        return [all("truth"), matched("truth"), all("predicted"), matched("predicted")] as const;
      });
      const statistic = (times: Uint32Array) => {
        const sum = (k: 0 | 1 | 2 | 3) => counts.reduce((total, image, i) => total + (times[i] ?? 0) * image[k], 0);
        const score = lesionScore({ truth: sum(0), found: sum(1), predicted: sum(2), correct: sum(3) });
        return LESION_RATES.map((rate) => score[rate]);
      };
      const found = bootstrap(this.#entries.length, statistic, draws);
      const named = LESION_RATES.map((rate, k) => [rate, found[k]]);
      return { ...result, intervals: Object.fromEntries(named) as Record<LesionRate, Interval> };
    });
  }
}

/** What the metrics of a stratum do with images, classes and objects that are absent, by the names in the JSON. */
export const EMPTY_POLICIES = {
  "mDice, mIoU, sensitivity, precision, f2":
    "pixels pooled per class; a class no label map holds has weight 0; images without objects count their background and wrong pixels",
  foregroundDice: "foreground classes that no label map holds are left out",
  imageDice: "per image, over the classes its label map holds: an image without objects is judged by its background",
  "mae, maeIndex, maeBinarised, maeRelease": "every counted pixel of every image",
  eMeasure:
    "label map without objects: share of pixels predicted as background; full one: share predicted as foreground",
  "lesion recall, precision, f1":
    "objects of all images counted together; images without objects add only wrong ones; null where there is nothing to divide by",
  "surfaceDice, hausdorff95": SURFACE_POLICY,
  "all overlap metrics": "null where no label map of the stratum holds an object: background alone measures nothing",
  strata: "images without objects belong to every stratum; images ignored as a whole (255) count nowhere",
} as const;
