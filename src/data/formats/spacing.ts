import type { DicomFile } from "./dicom.ts";
import { seriesAffine } from "./dicom-affine.ts";
import type { NiftiVolume } from "./nifti.ts";
import { patientAxes, voxelSizes } from "./orientation.ts";

/** Millimetres between neighbouring columns, rows and slices. */
export type VoxelSpacing = readonly [column: number, row: number, slice: number];

/** Millimetres in the units that a NIfTI header can name; one that names none is taken to mean millimetres, as readers do. */
const MILLIMETRES: Readonly<Record<number, number>> = { 0: 1, 1: 1000, 2: 1, 3: 1e-3 };
/** The three bits of the unit of lengths. */
const LENGTH_BITS = 7;

/** Spacing of the slices that `NiftiVolume.slice` shows; undefined where the header says nothing of it. */
export function niftiSpacing({ header, headerBytes }: NiftiVolume): VoxelSpacing | undefined {
  if (header.orientationFrom === "none") return undefined;
  const view = new DataView(headerBytes.buffer, headerBytes.byteOffset, headerBytes.byteLength);
  const code = header.version === 1 ? view.getUint8(123) : view.getInt32(500, header.littleEndian);
  const unit = MILLIMETRES[code & LENGTH_BITS] ?? 1;
  const sizes = voxelSizes(header.affine);
  const [x, y, z] = patientAxes(header.affine).map(({ axis }) => rounded(sizes[axis] * unit));
  return positive([x ?? 0, y ?? 0, z ?? 0]);
}

/** Spacing of a sorted DICOM series; undefined where its files say nothing of it. */
export function seriesSpacing(series: readonly DicomFile[]): VoxelSpacing | undefined {
  const affine = seriesAffine(series);
  if (affine === undefined) return undefined;
  const [column, row, slice] = voxelSizes(affine).map(rounded);
  return positive([column ?? 0, row ?? 0, slice ?? 0]);
}

/** Six digits: headers store single precision. */
const rounded = (value: number): number => Number(value.toPrecision(6));

const positive = (spacing: VoxelSpacing): VoxelSpacing | undefined =>
  spacing.every((value) => Number.isFinite(value) && value > 0) ? spacing : undefined;
