import { UsageError } from "../../errors.ts";
import type { ChannelPlan } from "../channels.ts";
import { channelsText } from "../channels.ts";
import type { FloatImage } from "../image/image.ts";
import { type DicomFile, dicomValues } from "./dicom.ts";
import type { NiftiVolume } from "./nifti.ts";
import { niftiSpacing, seriesSpacing, type VoxelSpacing } from "./spacing.ts";
import type { ValueSlice } from "./values.ts";
import { type ChosenView, chooseView, shownSlice, type View, type Window, type WindowWishes } from "./window.ts";

/** Slices of a scan, all of one size. */
export interface ScanSlices {
  readonly slices: number;
  readonly width: number;
  readonly height: number;
  /** Millimetres between columns and between rows of a slice, where the file says. */
  readonly pixelSize: readonly [column: number, row: number] | undefined;
  /** The window the file asks for, if it does. */
  readonly window: Window | undefined;
  /** Whether low values of a slice are bright. */
  inverted(z: number): boolean;
  /** Values of slice `z`, counted from 0. RangeError where there is none. */
  slice(z: number): ValueSlice;
}

const pixelSizeOf = (spacing: VoxelSpacing | undefined): ScanSlices["pixelSize"] => spacing && [spacing[0], spacing[1]];

/**
 * The axial slices of a NIfTI volume in the orientation that the data preparation shows them in. `volume` chooses one of a
 * 4-D file, counted from 0. UsageError where there is no such volume, or several and none is chosen.
 */
export function niftiSlices(nifti: NiftiVolume, volume?: number): ScanSlices {
  const { file, volumes } = nifti;
  if (volumes > 1 && volume === undefined) {
    throw new UsageError(`${file}: holds ${volumes} volumes; choose one with --volume 0 to ${volumes - 1}`);
  }
  const chosen = volume ?? 0;
  if (!Number.isInteger(chosen) || chosen < 0 || chosen >= volumes) {
    throw new UsageError(`--volume ${chosen}: ${file} has the volumes 0 to ${volumes - 1}`);
  }
  const [width, height, slices] = nifti.size;
  return {
    ...{ slices, width, height, pixelSize: pixelSizeOf(niftiSpacing(nifti)), window: undefined },
    inverted: () => false,
    slice: (z) => nifti.slice(z, chosen),
  };
}

/** The slices of a sorted DICOM series (`sortSeries`), as stored. */
export function seriesSlices(sorted: readonly DicomFile[]): ScanSlices {
  const [{ columns: width, rows: height, window } = { columns: 0, rows: 0, window: undefined }] = sorted;
  return {
    ...{ slices: sorted.length, width, height, pixelSize: pixelSizeOf(seriesSpacing(sorted)), window },
    inverted: (z) => sorted[z]?.inverted ?? false,
    slice(z) {
      const image = sorted[z];
      if (!image) throw new RangeError(`slice ${z} of ${sorted.length}`);
      return dicomValues(image);
    },
  };
}

/** How a scan's values are shown: one view for all slices. */
export function scanView(scan: ScanSlices, wishes: Pick<WindowWishes, "asked" | "trained"> = {}): ChosenView {
  return chooseView(() => valuesOf(scan), { ...wishes, file: scan.window, inverted: scan.inverted(0) });
}

function* valuesOf(scan: ScanSlices): Generator<ValueSlice> {
  for (let z = 0; z < scan.slices; z++) yield scan.slice(z);
}

/**
 * Slice `z` as networks see it: grey as the three equal channels that image files of grey pixels are read as, or as the one
 * that a network of named channels takes.
 */
export function scanPicture(scan: ScanSlices, z: number, view: View, channels: ChannelPlan | undefined): FloatImage {
  const { width, height, data } = shownSlice(scan.slice(z), { ...view, inverted: scan.inverted(z) });
  if (channels !== undefined) return { width, height, channels: 1, measured: true, data };
  const out = new Float32Array(3 * data.length);
  for (const [at, value] of data.entries()) out.fill(value, 3 * at, 3 * at + 3);
  return { width, height, channels: 3, data: out };
}

/** Throws UsageError where a network of several named channels is to see a scan. */
export function requireOneChannel(name: string, channels: ChannelPlan | undefined): void {
  if (channels === undefined || channels.names.length === 1) return;
  throw new UsageError(
    `${name}: a scan has one channel, the network takes ${channelsText(channels.names)}; store its slices as pictures of these`,
  );
}
