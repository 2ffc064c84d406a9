/** 3x4, row by row: patient millimetres (x to the right, y to the front, z to the head) = matrix * [i, j, k, 1]. */
export type Affine = readonly number[];

/** For patient axis x, y, z: the array axis that runs along it, and whether the two run against each other. */
export interface PatientAxis {
  readonly axis: 0 | 1 | 2;
  readonly flipped: boolean;
}

type Axes = readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2];
const ORDERS: readonly Axes[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

const LETTERS = [
  ["R", "L"],
  ["A", "P"],
  ["S", "I"],
] as const;

const entry = (affine: Affine, row: number, column: number) => affine[row * 4 + column] ?? 0;

/** Length of a voxel's edge along each array axis, in the affine's unit. */
export function voxelSizes(affine: Affine): readonly [number, number, number] {
  const size = (column: number) => Math.hypot(...[0, 1, 2].map((row) => entry(affine, row, column)));
  return [size(0), size(1), size(2)];
}

/** Volume of a voxel with its sign; 0 or NaN where the axes do not span space. */
export function determinant(affine: Affine): number {
  const at = (row: number, column: number) => entry(affine, row, column);
  return (
    at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
    at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
    at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0))
  );
}

/**
 * Which way the axes of a stored array run in the patient: the assignment of array axes to patient axes with the
 * largest sum of |cosines|, exact for straight scans, the nearest for oblique ones. `affine` must have a determinant
 * other than 0.
 */
export function patientAxes(affine: Affine): readonly [PatientAxis, PatientAxis, PatientAxis] {
  const sizes = voxelSizes(affine);
  const cosine = (row: number, column: number) => entry(affine, row, column) / (sizes[column] ?? 1);
  const total = (order: Axes) => order.reduce<number>((sum, column, row) => sum + Math.abs(cosine(row, column)), 0);
  let best: Axes = [0, 1, 2];
  // Ties (a scan at exactly 45 degrees) keep the earlier order.
  for (const order of ORDERS) if (total(order) > total(best) + 1e-9) best = order;
  const axis = (row: 0 | 1 | 2): PatientAxis => ({ axis: best[row], flipped: cosine(row, best[row]) < 0 });
  return [axis(0), axis(1), axis(2)];
}

/** Where the array's first, second and third axis run to, in letters: "RAS" (right, anterior, superior), "PSR", ... */
export function axisCode(affine: Affine): string {
  const axes = patientAxes(affine);
  const letterOf = (column: number) => {
    const row = axes.findIndex(({ axis }) => axis === column);
    return LETTERS[row]?.[axes[row]?.flipped ? 1 : 0] ?? "?";
  };
  return [0, 1, 2].map(letterOf).join("");
}
