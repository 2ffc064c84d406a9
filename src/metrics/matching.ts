/** An object of the label map and one of the prediction that share pixels. */
export interface Overlap {
  readonly truth: number;
  readonly predicted: number;
  /** Intersection over union. */
  readonly iou: number;
}

type Objects = readonly (readonly number[])[];

/**
 * The pairs of objects that share pixels, each object a list of places in a map of `pixels`, none in two objects of one side.
 * The best overlap first, equal ones in the order of the lists.
 */
export function overlapsOf(truth: Objects, predicted: Objects, pixels: number): Overlap[] {
  const owner = new Int32Array(pixels).fill(-1);
  for (const [number, cells] of truth.entries()) for (const cell of cells) owner[cell] = number;
  const found: Overlap[] = [];
  for (const [number, cells] of predicted.entries()) {
    const shared = new Map<number, number>();
    for (const cell of cells) {
      const other = owner[cell] ?? -1;
      if (other >= 0) shared.set(other, (shared.get(other) ?? 0) + 1);
    }
    for (const [other, inter] of shared) {
      const union = cells.length + (truth[other]?.length ?? 0) - inter;
      found.push({ truth: other, predicted: number, iou: inter / union });
    }
  }
  return found.sort((a, b) => b.iou - a.iou || a.truth - b.truth || a.predicted - b.predicted);
}

/**
 * As many pairs as a one-to-one matching can have (augmenting paths), best overlaps tried first: the count does not
 * depend on any order. Gives the partner of each object of the label map.
 */
export function matching(overlaps: readonly Overlap[]): Map<number, number> {
  const partners = new Map<number, number>();
  const edges = new Map<number, number[]>();
  for (const { truth, predicted } of overlaps) edges.set(truth, [...(edges.get(truth) ?? []), predicted]);
  const place = (truth: number, tried: Set<number>): boolean => {
    for (const predicted of edges.get(truth) ?? []) {
      if (tried.has(predicted)) continue;
      tried.add(predicted);
      const rival = partners.get(predicted);
      if (rival !== undefined && !place(rival, tried)) continue;
      partners.set(predicted, truth);
      return true;
    }
    return false;
  };
  for (const truth of edges.keys()) place(truth, new Set());
  return new Map([...partners].map(([predicted, truth]) => [truth, predicted]));
}
