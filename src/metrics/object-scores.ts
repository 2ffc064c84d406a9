import { csv } from "../csv.ts";
import { matching, type Overlap, overlapsOf } from "./matching.ts";
import { type RankedImage, rankedPrecision } from "./ranked-precision.ts";

/** Least intersections over union at which objects are compared: 0.5, 0.55, ..., 0.95. */
export const OBJECT_OVERLAPS: readonly number[] = Array.from({ length: 10 }, (_, at) => (10 + at) / 20);

/** The objects of one class in one image: in the label map, and predicted. */
export interface ImageObjects {
  readonly image: string;
  /** The class's index. */
  readonly class: number;
  readonly truth: number;
  readonly predicted: number;
  /** The score of each predicted object; undefined where nobody asked for probabilities. */
  readonly scores?: readonly number[] | undefined;
  /** Pairs that share pixels, the best first. */
  readonly overlaps: readonly Overlap[];
  /** Pairs of a one-to-one matching of as many as can be, at each of {@link OBJECT_OVERLAPS}. */
  readonly matched: readonly number[];
}

/** An object as it is compared: its pixels' places and, of a predicted one, how sure it is (0 to 1). */
interface ComparedObject {
  readonly pixels: readonly number[];
  readonly score?: number | undefined;
}

interface ComparedMap {
  readonly image: string;
  readonly class: number;
  readonly truth: readonly ComparedObject[];
  readonly predicted: readonly ComparedObject[];
  /** Of the maps. */
  readonly pixels: number;
}

/** Compares the objects of one class in one image. Objects of one side share no pixel; ignored pixels are in none. */
export function compareObjects({ truth, predicted, pixels, ...own }: ComparedMap): ImageObjects {
  const places = (objects: readonly ComparedObject[]) => objects.map((object) => object.pixels);
  const overlaps = overlapsOf(places(truth), places(predicted), pixels);
  const scores = predicted.flatMap(({ score }) => score ?? []);
  return {
    ...own,
    truth: truth.length,
    predicted: predicted.length,
    ...(scores.length === predicted.length ? { scores } : {}),
    overlaps,
    matched: OBJECT_OVERLAPS.map((least) => matching(overlaps.filter(({ iou }) => iou >= least)).size),
  };
}

/** How objects agree at one required overlap. Percent; NaN where there is nothing to divide by. */
interface OverlapScore {
  /** Least intersection over union of a match. */
  readonly overlap: number;
  readonly matched: number;
  /** Matched, of those predicted; of those in the label maps; and their harmonic mean. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Matched / (predicted + in the label maps - matched): average precision as the Data Science Bowl, StarDist and Cellpose have it. */
  readonly ap: number;
  /** Average precision of the objects ranked by their score, as COCO has it; NaN without scores. */
  readonly cocoAp: number;
}

/** How far counts of objects are off, image by image: predicted less labelled (Bland and Altman 1986). */
export interface CountAgreement {
  readonly images: number;
  /** Mean of the differences, and their standard deviation (n - 1). */
  readonly bias: number;
  readonly deviation: number;
  /** 95 % limits of agreement: bias -+ 1.96 deviations. */
  readonly low: number;
  readonly high: number;
  /** Mean of the differences without their signs. */
  readonly absolute: number;
}

/** Scores of single objects of one class, or their means over classes. Percent, counts apart. */
export interface ObjectScore {
  readonly truth: number;
  readonly predicted: number;
  /** Panoptic quality (Kirillov et al. 2019): segmentation quality, the mean IoU of pairs above 0.5, times recognition quality, their F1. */
  readonly pq: number;
  readonly sq: number;
  readonly rq: number;
  /** Means over {@link OBJECT_OVERLAPS}. */
  readonly ap: number;
  readonly cocoAp: number;
  readonly overlaps: readonly OverlapScore[];
  readonly counts: CountAgreement;
}

/** Scores of single objects over a set of images. */
export interface ObjectScores {
  /** Mean over the classes that are in label maps or predictions; counts are of all classes together. */
  readonly all: ObjectScore;
  readonly classes: readonly (ObjectScore & { readonly class: number })[];
}

const sumOf = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((sum, item) => sum + value(item), 0);

/** Mean of what exists; NaN of nothing. */
function meanOf(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return sumOf(known, (value) => value) / known.length;
}

/** How far predicted counts are off; one difference (predicted - labelled) for each image. The deviation needs two. */
export function countAgreement(differences: readonly number[]): CountAgreement {
  const images = differences.length;
  const bias = sumOf(differences, (value) => value) / images;
  const deviation = Math.sqrt(sumOf(differences, (value) => (value - bias) ** 2) / (images - 1));
  const spread = 1.96 * deviation;
  const absolute = sumOf(differences, Math.abs) / images;
  return {
    images,
    bias,
    deviation: images < 2 ? Number.NaN : deviation,
    low: bias - spread,
    high: bias + spread,
    absolute,
  };
}

function scoreOf(images: readonly ImageObjects[]): ObjectScore {
  const truth = sumOf(images, (image) => image.truth);
  const predicted = sumOf(images, (image) => image.predicted);
  const ranked = images.flatMap(({ scores, ...image }): RankedImage[] => (scores ? [{ ...image, scores }] : []));
  const overlaps = OBJECT_OVERLAPS.map((overlap, at): OverlapScore => {
    const matched = sumOf(images, (image) => image.matched[at] ?? 0);
    return {
      overlap,
      matched,
      precision: (100 * matched) / predicted,
      recall: (100 * matched) / truth,
      f1: (200 * matched) / (truth + predicted),
      ap: (100 * matched) / (truth + predicted - matched),
      cocoAp: ranked.length === images.length ? 100 * rankedPrecision(ranked, overlap) : Number.NaN,
    };
  });
  // Above one half a pair is the only one of both its objects.
  const pairs = images.flatMap((image) => image.overlaps.filter(({ iou }) => iou > 0.5));
  const ious = sumOf(pairs, ({ iou }) => iou);
  return {
    truth,
    predicted,
    pq: (200 * ious) / (truth + predicted),
    sq: (100 * ious) / pairs.length,
    rq: (200 * pairs.length) / (truth + predicted),
    ap: meanOf(overlaps.map((each) => each.ap)),
    cocoAp: meanOf(overlaps.map((each) => each.cocoAp)),
    overlaps,
    counts: countAgreement(images.map((image) => image.predicted - image.truth)),
  };
}

/** The means of classes' scores; counts of objects are summed, image by image. */
function meanScore(classes: readonly ObjectScore[], images: readonly ImageObjects[]): ObjectScore {
  const mean = (value: (score: ObjectScore) => number) => meanOf(classes.map(value));
  const differences = new Map<string, number>();
  for (const { image, predicted, truth } of images) {
    differences.set(image, (differences.get(image) ?? 0) + predicted - truth);
  }
  return {
    truth: sumOf(classes, ({ truth }) => truth),
    predicted: sumOf(classes, ({ predicted }) => predicted),
    ...{ pq: mean(({ pq }) => pq), sq: mean(({ sq }) => sq), rq: mean(({ rq }) => rq) },
    ...{ ap: mean(({ ap }) => ap), cocoAp: mean(({ cocoAp }) => cocoAp) },
    overlaps: OBJECT_OVERLAPS.map((overlap, at) => {
      const part = (key: Exclude<keyof OverlapScore, "overlap" | "matched">) =>
        mean(({ overlaps }) => overlaps[at]?.[key] ?? Number.NaN);
      return {
        overlap,
        matched: sumOf(classes, ({ overlaps }) => overlaps[at]?.matched ?? 0),
        ...{
          precision: part("precision"),
          recall: part("recall"),
          f1: part("f1"),
          ap: part("ap"),
          cocoAp: part("cocoAp"),
        },
      };
    }),
    counts: countAgreement([...differences.values()]),
  };
}

/** Scores of single objects over a set of images; `images` has an entry for each class of each. */
export function objectScores(images: readonly ImageObjects[]): ObjectScores {
  const labels = [...new Set(images.map((image) => image.class))].sort((one, two) => one - two);
  const classes = labels.map((label) => ({
    class: label,
    ...scoreOf(images.filter((image) => image.class === label)),
  }));
  const held = classes.filter(({ truth, predicted }) => truth + predicted > 0);
  return { all: meanScore(held, images), classes };
}

const number = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Scores at every overlap as CSV with a header line; class 0 is the mean over the classes. Percent. */
export function objectTable({ all, classes }: ObjectScores): string {
  const keys = ["matched", "precision", "recall", "f1", "ap", "cocoAp"] as const;
  const rows = [{ class: 0, ...all }, ...classes].flatMap((score) =>
    score.overlaps.map((each) => [
      ...[score.class, each.overlap, score.truth, score.predicted],
      ...keys.map((key) => number(each[key])),
    ]),
  );
  return csv([["class", "overlap", "truth", "predicted", ...keys], ...rows]);
}

/** Counts of each image and class as CSV with a header line: what a Bland-Altman plot is drawn of. */
export function countTable(images: readonly ImageObjects[]): string {
  const rows = images.map(({ image, class: label, truth, predicted, matched }) => [
    ...[image, label, truth, predicted, predicted - truth],
    ...[matched[0], (truth + predicted) / 2],
  ]);
  return csv([["image", "class", "truth", "predicted", "difference", "matchedAt50", "mean"], ...rows]);
}
