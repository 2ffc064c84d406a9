/** One axis of the maps: how many places it has, how far apart their values are stored, and how far apart they lie. */
export interface Axis {
  readonly extent: number;
  readonly stride: number;
  readonly spacing: number;
}

/** The axes of an image or volume. */
export type Axes = readonly [rows: Axis, columns: Axis, slices: Axis];

/** For every pixel the squared distance to the nearest border pixel of its column; Infinity in columns without one. */
function columnSquares(border: readonly number[], { extent, stride, spacing }: Axis, pixels: number): Float64Array {
  const gaps = new Float64Array(pixels).fill(Number.POSITIVE_INFINITY);
  for (const at of border) gaps[at] = 0;
  const slice = extent * stride;
  for (let at = 0; at < pixels; at++) {
    if (at % slice >= stride) gaps[at] = Math.min(gaps[at] ?? 0, (gaps[at - stride] ?? 0) + 1);
  }
  for (let at = pixels - 1; at >= 0; at--) {
    if (at % slice < slice - stride) gaps[at] = Math.min(gaps[at] ?? 0, (gaps[at + stride] ?? 0) + 1);
  }
  return gaps.map((gap) => (gap * spacing) ** 2);
}

/** The least of the squares along an axis through `at`, each with the way there added: outward until nothing is nearer. */
function nearest(squares: (at: number) => number, at: number, { extent, stride, spacing }: Axis): number {
  const place = Math.floor(at / stride) % extent;
  let least = squares(at);
  for (let step = 1; step < extent; step++) {
    const way = (step * spacing) ** 2;
    if (way >= least) break;
    if (place >= step) least = Math.min(least, squares(at - step * stride) + way);
    if (place + step < extent) least = Math.min(least, squares(at + step * stride) + way);
  }
  return least;
}

/** Distances of the pixels of `from` to the nearest pixel of `to`, in the unit of the spacing. Exact; infinite where `to` is empty. */
export function distances(from: ArrayLike<number>, to: readonly number[], axes: Axes): Float64Array {
  const [rows, columns, slices] = axes;
  const pixels = rows.extent * columns.extent * slices.extent;
  const inColumn = columnSquares(to, rows, pixels);
  // Of a volume only the pixels near borders are ever asked for, those again and again.
  const known = slices.extent > 1 ? new Float64Array(pixels).fill(Number.NaN) : null;
  const inSlice = (at: number): number => {
    const kept = known?.[at] ?? Number.NaN;
    if (!Number.isNaN(kept)) return kept;
    const found = nearest((place) => inColumn[place] ?? 0, at, columns);
    if (known) known[at] = found;
    return found;
  };
  return Float64Array.from(from, (at) => Math.sqrt(nearest(inSlice, at, slices)));
}
