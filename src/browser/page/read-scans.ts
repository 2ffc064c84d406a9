import { type DicomFile, looksLikeDicom, readDicom } from "../../data/formats/dicom.ts";
import { SeriesList, sortSeries } from "../../data/formats/dicom-series.ts";
import { readNifti as readVolume } from "../../data/formats/nifti-unpack.ts";
import { niftiSlices, type ScanSlices, scanPicture, scanView, seriesSlices } from "../../data/formats/scan.ts";
import { viewText, type Window } from "../../data/formats/window.ts";
import { DataError } from "../../errors.ts";
import type { Chosen } from "./chosen.ts";

/** Bytes at whose end a DICOM file says what it is. */
const DICOM_START = 133;
const NIFTI_NAME = /\.nii(\.gz)?$/i;

/** Which kind of scan a file is, by its first bytes or its name; undefined where it is none. */
export async function scanKind(file: File): Promise<"dicom" | "nifti" | undefined> {
  if (NIFTI_NAME.test(file.name)) return "nifti";
  return looksLikeDicom(new Uint8Array(await file.slice(0, DICOM_START).arrayBuffer())) ? "dicom" : undefined;
}

/** The axial slices of a NIfTI file. Throws DataError naming it where it is damaged or holds several volumes. */
export async function readNifti(file: File, trained: Window | undefined): Promise<Chosen> {
  const volume = await readVolume(new Uint8Array(await file.arrayBuffer()), file.name);
  if (volume.volumes > 1) {
    throw new DataError(
      `${file.name}: holds ${volume.volumes} volumes, this page shows one; use svanet predict --volume, or store them apart`,
    );
  }
  return scanOf(file.name, niftiSlices(volume), trained);
}

/**
 * The slices of DICOM files that make one series, in the order of their places. Throws DataError where they are damaged,
 * compressed, of several series, or a slice between them is missing.
 */
export async function readDicomFiles(files: readonly File[], trained: Window | undefined): Promise<Chosen> {
  const series = new SeriesList<DicomFile>();
  for (const file of files) {
    const dicom = readDicom(new Uint8Array(await file.arrayBuffer()), file.name);
    series.add(dicom, (image) => image);
  }
  const [images, ...others] = series.images().values();
  const name = files.length === 1 ? (files[0]?.name ?? "") : `${files[0]?.name} and ${files.length - 1} more`;
  if (images === undefined) throw new DataError(`${name}: no image is in the DICOM file`);
  if (others.length > 0) {
    throw new DataError(`${name}: these files are of ${1 + others.length} series; choose the files of one`);
  }
  return scanOf(name, seriesSlices(sortSeries(images, false)), trained);
}

function scanOf(name: string, scan: ScanSlices, trained: Window | undefined): Chosen {
  const view = scanView(scan, { trained });
  return {
    name,
    slices: scan.slices,
    pixelSize: scan.pixelSize,
    note: viewText(view),
    picture: async (slice) => scanPicture(scan, slice, view, undefined),
  };
}
