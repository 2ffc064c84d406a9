import { type DicomFile, decimals, type Vector } from "./dicom.ts";
import type { Affine } from "./orientation.ts";

const PIXEL_SPACING = "x00280030";
const SLICE_THICKNESS = "x00180050";

/** Difference of two positions over a number of steps. */
function stepBetween(first: Vector, last: Vector, steps: number): readonly number[] {
  return first.map((value, axis) => ((last[axis] ?? 0) - value) / steps);
}

/**
 * Where the pixels of a sorted series lie: column, row and slice number to patient millimetres (RAS; DICOM's own axes run
 * to the left and back). Undefined where the files give no position, direction or spacing.
 */
export function seriesAffine(series: readonly DicomFile[]): Affine | undefined {
  const [first, last] = [series[0], series.at(-1)];
  const spacing = first && decimals(first.data, PIXEL_SPACING, 2);
  if (!first?.position || !last?.position || !first.orientation || !spacing) return undefined;
  const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = first.orientation;
  const [down = 1, across = 1] = spacing;
  const thickness = decimals(first.data, SLICE_THICKNESS, 1)?.[0] ?? 1;
  const [nx, ny, nz] = [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx];
  const step =
    series.length > 1
      ? stepBetween(first.position, last.position, series.length - 1)
      : [nx * thickness, ny * thickness, nz * thickness];
  const row = (axis: 0 | 1 | 2, sign: number) =>
    [[rx, ry, rz][axis], [cx, cy, cz][axis], step[axis], first.position?.[axis]].map(
      (value, column) => sign * (value ?? 0) * ([across, down][column] ?? 1),
    );
  return [...row(0, -1), ...row(1, -1), ...row(2, 1)];
}
