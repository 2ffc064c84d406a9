import { DataError } from "../../errors.ts";
import type { NiftiVolume } from "./nifti.ts";
import type { NiftiHeader } from "./nifti-header.ts";
import { type Affine, axisCode, patientAxes } from "./orientation.ts";

/**
 * Largest distance of corresponding corners, in voxels, at which two grids count as one. Headers keep places as float32 and
 * turns as quaternions, whose rounding moves a corner by up to some hundredths; half a voxel is a mistake.
 */
const SAME_WITHIN = 0.1;

type Point = readonly [number, number, number];

/** The affine for voxels counted along the patient's axes (right, front, head) instead of the array's. */
function straightened({ affine, shape }: NiftiHeader): Affine {
  const axes = patientAxes(affine);
  return [0, 1, 2].flatMap((row) => {
    const step = (axis: number) => affine[row * 4 + axis] ?? 0;
    const steps = axes.map(({ axis, flipped }) => (flipped ? -step(axis) : step(axis)));
    const start = axes.reduce(
      (sum, { axis, flipped }) => (flipped ? sum + step(axis) * (shape[axis] - 1) : sum),
      affine[row * 4 + 3] ?? 0,
    );
    return [...steps, start];
  });
}

function at(affine: Affine, point: Point): Point {
  const row = (index: number) =>
    [...point, 1].reduce((sum, value, column) => sum + value * (affine[index * 4 + column] ?? 0), 0);
  return [row(0), row(1), row(2)];
}

const distance = (a: Point, b: Point) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

function voxelOf(affine: Affine): Point {
  const size = (column: number) => Math.hypot(...[0, 1, 2].map((row) => affine[row * 4 + column] ?? 0));
  return [size(0), size(1), size(2)];
}

/** Largest distance of corresponding corners of two volumes of one size, in voxels (their smallest edge) of the first. */
export function misplacement(a: NiftiVolume, b: NiftiVolume): number {
  const [first, second] = [straightened(a.header), straightened(b.header)];
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((bits): Point => {
    const end = (axis: 0 | 1 | 2) => ((bits >> axis) & 1) * (a.size[axis] - 1);
    return [end(0), end(1), end(2)];
  });
  return (
    Math.max(...corners.map((corner) => distance(at(first, corner), at(second, corner)))) / Math.min(...voxelOf(first))
  );
}

const figures = (numbers: readonly number[]) => numbers.map((value) => String(Number(value.toFixed(3)) + 0));

/** What a header says about place and direction, in words. */
function placeText({ affine, orientationFrom }: NiftiHeader): string {
  const voxels = `voxels of ${figures(voxelOf(affine)).join(" x ")} mm`;
  if (orientationFrom === "none") return `no orientation, ${voxels}`;
  const origin = [affine[3] ?? 0, affine[7] ?? 0, affine[11] ?? 0];
  return `axes ${axisCode(affine)}, ${voxels}, the first at ${figures(origin).join(", ")} mm`;
}

const sameExtents = (a: readonly number[], b: readonly number[]) => [0, 1, 2].every((axis) => a[axis] === b[axis]);

/**
 * The labels of a scan, voxel for voxel: as their headers place both (axes may be stored in another order or direction), or,
 * with `trustOrder`, by the number of the voxel where the headers disagree; `note` says so. Throws DataError, naming both,
 * where sizes differ, or places do and nobody trusts the order.
 */
export function pairedLabels(
  image: NiftiVolume,
  label: NiftiVolume,
  trustOrder: boolean,
): { readonly label: NiftiVolume; readonly note: string | undefined } {
  if (label.volumes > 1) {
    throw new DataError(
      `${label.file}: ${label.volumes} volumes of labels in one file; write one volume whose voxels are class numbers`,
    );
  }
  const sameSize = sameExtents(image.size, label.size);
  if (sameSize && misplacement(image, label) <= SAME_WITHIN) return { label, note: undefined };
  if (!sameExtents(image.header.shape, label.header.shape)) {
    throw new DataError(
      `${label.file}: the labels have ${label.size.join("x")} voxels (right x front x head), the scan ${image.file} ` +
        `${image.size.join("x")}; resample one to the other`,
    );
  }
  const places = `(${placeText(label.header)}) and the scan ${image.file} (${placeText(image.header)})`;
  if (trustOrder) {
    return {
      label: label.placedAs(image),
      note: `${label.file}: the headers of the labels ${places} disagree on the place; voxels were paired by number`,
    };
  }
  throw new DataError(
    `${label.file}: the headers of the labels ${places} disagree on the place in the patient; write the labels with the scan's ` +
      "header, or add --trust-order, which pairs voxels by number",
  );
}

/**
 * Throws DataError, naming both, where another channel of a scan has other sizes, or, unless `trustOrder`, lies elsewhere.
 */
export function requireSamePlace(first: NiftiVolume, other: NiftiVolume, trustOrder: boolean): void {
  if (other === first) return;
  const sizes = `${other.size.join("x")} voxels, ${first.file} ${first.size.join("x")}`;
  if (!sameExtents(first.size, other.size)) {
    throw new DataError(`${other.file}: a channel of the case has ${sizes}; resample one to the other`);
  }
  if (trustOrder || misplacement(first, other) <= SAME_WITHIN) return;
  throw new DataError(
    `${other.file}: the headers of the channels (${placeText(other.header)}) and ${first.file} (${placeText(first.header)}) ` +
      "disagree on the place in the patient; resample one to the other, or add --trust-order, which pairs voxels by number",
  );
}
