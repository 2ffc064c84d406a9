import { join } from "node:path";
import type { ChannelPlan } from "../../data/channels.ts";
import { encodePng } from "../../data/codec/png.ts";
import { readBytes } from "../../data/decode.ts";
import type { ShownClass } from "../../data/export/found-object.ts";
import { type DicomFile, readDicom } from "../../data/formats/dicom.ts";
import { seriesAffine } from "../../data/formats/dicom-affine.ts";
import { SeriesList, sortSeries, spacingNotes, windowNotes } from "../../data/formats/dicom-series.ts";
import { openNifti as openVolume } from "../../data/formats/nifti-file.ts";
import { encodeNiftiLabels } from "../../data/formats/nifti-new.ts";
import { NiftiLabelMap } from "../../data/formats/nifti-write.ts";
import {
  niftiSlices,
  requireOneChannel,
  type ScanSlices,
  scanPicture,
  scanView,
  seriesSlices,
} from "../../data/formats/scan.ts";
import { type ChosenView, viewText, type Window } from "../../data/formats/window.ts";
import { drawn } from "../../data/image/image.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import type { Predictor } from "../../inference/predictor.ts";
import { PackedMap } from "../evaluate/packed-map.ts";
import { NpyFile } from "./npy-file.ts";
import type { InputOutputs, OutputPaths } from "./outputs.ts";
import { montage, montageSlices } from "./prediction-page.ts";

/** A scan, and the label map that is made of it. */
interface Scan extends ScanSlices {
  /** Takes the labels of slice `z`, row by row as `slice` gives them. */
  set(z: number, labels: Uint8Array): void;
  /** The label map as a compressed NIfTI file. */
  encode(): Buffer;
  /** What a person should know, given what the slices are shown through. */
  notes(view: ChosenView): readonly string[];
}

interface ScanOptions {
  /** Values shown as black and white. */
  readonly window?: Window | undefined;
  /** What the checkpoint's training scans were shown through; used unless `window` is given. */
  readonly trained?: Window | undefined;
  /** What the network's channels are, where they are not red, green and blue. */
  readonly channels?: ChannelPlan | undefined;
  /** Which volume of a 4-D NIfTI file, counted from 0. */
  readonly volume?: number | undefined;
  /** Class probabilities go here, `[slices, height, width, classes]`. */
  readonly probabilities?: { readonly path: string; readonly classes: number } | undefined;
  readonly onSlice?: (done: number, total: number) => void;
}

/** Files written for a scan, and what a person should know. */
export interface ScanResult {
  readonly files: OutputPaths;
  readonly overlay: string;
  readonly probabilities?: string;
  readonly notes: readonly string[];
}

/** A NIfTI volume: axial slices in the orientation the data preparation shows them in, labels in the file's own order. */
export async function openNifti(file: string, volume: number | undefined): Promise<Scan> {
  const nifti = await openVolume(file);
  const labels = new NiftiLabelMap(nifti);
  return {
    ...niftiSlices(nifti, volume),
    set: (z, values) => labels.setSlice(z, values),
    encode: () => labels.encode(),
    notes: () => (nifti.header.orientationFrom === "none" ? [`${file}: says no orientation, taken as RAS`] : []),
  };
}

/** The images of one DICOM series, slices as stored, in the order of their positions. */
export function openSeries(name: string, images: readonly DicomFile[], allowGaps = false): Scan {
  const sorted = sortSeries(images, allowGaps);
  const scan = seriesSlices(sorted);
  const { width, height } = scan;
  const pixels = width * height;
  const labels = new Uint8Array(pixels * sorted.length);
  const affine = seriesAffine(sorted);
  return {
    ...scan,
    set: (z, values) => labels.set(values, z * pixels),
    encode: () =>
      encodeNiftiLabels(labels, [width, height, sorted.length], affine ?? [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
    notes: (view) => [
      ...(affine
        ? []
        : [`${name}: the files give no position or spacing; the label map has voxels of 1 mm at 0, 0, 0`]),
      ...spacingNotes(name, sorted, affine !== undefined),
      ...windowNotes(name, view, sorted),
    ],
  };
}

/** Reads the images among DICOM files and parts them into series, in the order of first appearance. */
export async function readSeries(files: readonly string[]): Promise<ReadonlyMap<string, readonly DicomFile[]>> {
  const series = new SeriesList<DicomFile>();
  for (const file of files) series.add(readDicom(await readBytes(file), file), (dicom) => dicom);
  return series.images();
}

/** Where a scan's results go. */
interface ScanTarget {
  readonly folder: string;
  readonly stem: string;
  /** The background first. */
  readonly classes: readonly ShownClass[];
  readonly outputs: InputOutputs;
}

/**
 * Predicts a scan slice by slice; writes what its outputs ask for, and one montage of slices in which something was found,
 * `<stem>-overlay.png`.
 */
export async function predictScan(
  predictor: Predictor,
  scan: Scan,
  target: ScanTarget,
  options: ScanOptions,
): Promise<ScanResult> {
  const { probabilities } = options;
  const { width, height } = scan;
  const bytes = 3 * Float32Array.BYTES_PER_ELEMENT * width * height;
  predictor.plan({ width, height, bytes }, target.stem, probabilities !== undefined);
  const { window: asked, trained, channels } = options;
  requireOneChannel(target.stem, channels);
  const view = scanView(scan, { asked, trained });
  const shown = (z: number) => scanPicture(scan, z, view, channels);
  const shape = [scan.slices, scan.height, scan.width];
  const npy = probabilities ? new NpyFile(probabilities.path, [...shape, probabilities.classes]) : null;
  const masks: PackedMap[] = [];
  const found: number[] = [];
  try {
    for (let z = 0; z < scan.slices; z++) {
      const sink = npy ? (rows: Float32Array) => npy.append(rows) : undefined;
      const { mask, certainty, borders } = await predictor.findOr(target.outputs.measures, shown(z), sink);
      scan.set(z, mask.data);
      target.outputs.add(mask, { slice: z, certainty, borders });
      masks.push(new PackedMap(mask));
      found.push(mask.data.reduce((count, label) => count + (label > 0 ? 1 : 0), 0));
      options.onSlice?.(z + 1, scan.slices);
    }
    npy?.finish();
  } catch (error) {
    npy?.discard();
    throw error;
  }
  const files = target.outputs.finish(() => scan.encode());
  const overlay = join(target.folder, `${target.stem}-overlay.png`);
  const slices = montageSlices(found, scan).flatMap((slice) => {
    const mask = masks[slice]?.unpack();
    return mask ? [{ slice, image: shownInColour(drawn(shown(slice))), mask }] : [];
  });
  const title = `${target.stem}: found in ${found.filter((count) => count > 0).length} of ${scan.slices} slices`;
  if (slices.length > 0) writeFileAtomic(overlay, encodePng(montage(title, slices, target.classes)));
  const said = `${target.stem}: ${scan.slices} slices, ${viewText(view)}`;
  return { files, overlay, ...(npy ? { probabilities: npy.path } : {}), notes: [...scan.notes(view), said] };
}
