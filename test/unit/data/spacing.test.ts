import { expect, test } from "vitest";
import { readDicom } from "../../../src/data/formats/dicom.ts";
import { sortSeries } from "../../../src/data/formats/dicom-series.ts";
import { decodeNifti } from "../../../src/data/formats/nifti-file.ts";
import { niftiSpacing, seriesSpacing } from "../../../src/data/formats/spacing.ts";
import { ctElements, dicomBytes } from "../../support/raw/dicom.ts";
import { niftiBytes } from "../../support/raw/nifti.ts";

/** Stored from slice to slice first: axis 0 goes along z by 3 mm, axis 1 along x by 0.5, axis 2 along y by 0.7. */
const TURNED = [0, 0.5, 0, 0, 0, 0, 0.7, 0, 3, 0, 0, 0];

const volume = (version: 1 | 2, affine: readonly number[] | undefined, units?: number) => {
  const bytes = niftiBytes({ shape: [4, 2, 3], value: (i) => i, affine, version });
  if (units !== undefined && version === 1) bytes.writeUInt8(units, 123);
  if (units !== undefined && version === 2) bytes.writeInt32LE(units, 500);
  return decodeNifti(bytes, "scan.nii");
};

test.each([1, 2] as const)(
  "NIfTI-%i: between columns, rows and slices as they are shown, however they are stored",
  (version) => {
    const scan = volume(version, TURNED);
    expect(scan.size).toEqual([2, 3, 4]);
    expect(niftiSpacing(scan)).toEqual([0.5, 0.7, 3]);
  },
);

test.each([1, 2] as const)("NIfTI-%i: metres, millimetres and micrometres, beside a unit of time", (version) => {
  const seconds = 8;
  expect(niftiSpacing(volume(version, TURNED, 1 + seconds))).toEqual([500, 700, 3000]);
  expect(niftiSpacing(volume(version, TURNED, 2 + seconds))).toEqual([0.5, 0.7, 3]);
  expect(niftiSpacing(volume(version, TURNED, 3))).toEqual([0.0005, 0.0007, 0.003]);
});

test("a header that places nothing has no spacing", () => {
  expect(niftiSpacing(volume(1, undefined))).toBeUndefined();
});

test("DICOM names the distance of rows before that of columns", () => {
  const slice = (z: number) => {
    const spec = { rows: 2, columns: 3, series: "1.2", instance: `1.2.${z}`, z, values: [0, 1, 2, 3, 4, 5] };
    return readDicom(dicomBytes(ctElements({ ...spec, extra: [[0x0028, 0x0030, "DS", "0.7\\0.5"]] })), `${z}.dcm`);
  };
  expect(seriesSpacing(sortSeries([slice(6), slice(0), slice(3)]))).toEqual([0.5, 0.7, 3]);
});
