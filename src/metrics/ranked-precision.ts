import type { Overlap } from "./matching.ts";

/** One class in one image, as its objects are ranked. */
export interface RankedImage {
  /** Objects in the label map. */
  readonly truth: number;
  /** A score of each predicted object, such as its mean probability; the higher, the surer. */
  readonly scores: readonly number[];
  readonly overlaps: readonly Overlap[];
}

/** Recalls at which COCO reads its curve: 0, 0.01, ..., 1. */
const RECALLS = Array.from({ length: 101 }, (_, at) => at / 100);

/** Places of scores from the highest down; equal ones keep their order. */
const ranked = (scores: readonly number[]): number[] =>
  [...scores.keys()].sort((one, two) => (scores[two] ?? 0) - (scores[one] ?? 0) || one - two);

/**
 * Whether each predicted object of an image has a partner: from the surest down each takes what is left of the label map and
 * overlaps it most, at least by `overlap`; of equal ones the last, as pycocotools does.
 */
function greedy({ scores, overlaps }: RankedImage, overlap: number): boolean[] {
  const pairs = new Map<number, Overlap[]>();
  for (const pair of overlaps.filter(({ iou }) => iou >= overlap)) {
    pairs.set(pair.predicted, [...(pairs.get(pair.predicted) ?? []), pair]);
  }
  const taken = new Set<number>();
  const matched = scores.map(() => false);
  for (const predicted of ranked(scores)) {
    const free = (pairs.get(predicted) ?? []).filter(({ truth }) => !taken.has(truth));
    const most = Math.max(...free.map(({ iou }) => iou));
    const partner = Math.max(...free.filter(({ iou }) => iou === most).map(({ truth }) => truth));
    if (free.length === 0) continue;
    taken.add(partner);
    matched[predicted] = true;
  }
  return matched;
}

/**
 * Average precision of ranked objects of one class over a set of images, a fraction: COCO's AP at one IoU, all sizes, without a
 * limit of detections (pycocotools' COCOeval with segmentations). Objects of all images are ranked by their score, equal ones
 * in the order of images and objects; precision made falling is read at 101 recalls. NaN where no label map holds an object.
 */
export function rankedPrecision(images: readonly RankedImage[], overlap: number): number {
  const truth = images.reduce((sum, image) => sum + image.truth, 0);
  if (truth === 0) return Number.NaN;
  const found = images.flatMap((image) => {
    const matched = greedy(image, overlap);
    return ranked(image.scores).map((at) => ({ score: image.scores[at] ?? 0, matched: matched[at] === true }));
  });
  const order = ranked(found.map(({ score }) => score));
  let right = 0;
  const curve = order.map((at, before) => {
    if (found[at]?.matched) right++;
    return { recall: right / truth, precision: right / (before + 1) };
  });
  const falling = curve.map(({ precision }) => precision);
  for (let at = falling.length - 2; at >= 0; at--) falling[at] = Math.max(falling[at] ?? 0, falling[at + 1] ?? 0);
  let at = 0;
  let sum = 0;
  for (const recall of RECALLS) {
    while (at < curve.length && (curve[at]?.recall ?? 0) < recall) at++;
    sum += falling[at] ?? 0;
  }
  return sum / RECALLS.length;
}
