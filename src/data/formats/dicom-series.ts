import { DataError } from "../../errors.ts";
import type { ByteImage } from "../image/image.ts";
import { type DicomFile, dicomError } from "./dicom.ts";
import { belongsTo, type Segmentation } from "./dicom-seg.ts";
import { type ChosenView, rangeText } from "./window.ts";

/** Distance along the normal of the slices, undefined without position or orientation. */
function depthOf({ position, orientation }: DicomFile): number | undefined {
  if (position === undefined || orientation === undefined) return undefined;
  const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = orientation;
  const normal = [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx];
  return position.reduce((sum, value, at) => sum + value * (normal[at] ?? 0), 0);
}

/**
 * A DICOM series' images in the order of their positions along the slices' normal, or of their instance numbers where
 * not all have a position. Throws DataError where sizes or directions differ, or two images lie at one place.
 */
export function sortSeries(images: readonly DicomFile[]): readonly DicomFile[] {
  const [head] = images;
  if (head === undefined) return [];
  const depths = images.map(depthOf);
  const known = depths.every((depth) => depth !== undefined);
  const keyed = images.map((image, at) => ({ image, key: (known ? depths[at] : image.instanceNumber) ?? 0 }));
  keyed.sort((a, b) => a.key - b.key);
  keyed.forEach(({ image, key }, at) => {
    if (image.rows !== head.rows || image.columns !== head.columns) {
      throw dicomError(
        image.file,
        `${image.columns}x${image.rows} pixels in a series of ${head.columns}x${head.rows} (${head.file})`,
      );
    }
    if (image.orientation?.some((value, axis) => Math.abs(value - (head.orientation?.[axis] ?? 0)) > 1e-3)) {
      throw dicomError(image.file, `its direction differs from ${head.file} of the same series`);
    }
    const before = keyed[at - 1];
    if (before !== undefined && Math.abs(before.key - key) < 1e-4) {
      const what = known ? "place" : "instance number";
      throw new DataError(
        `${image.file}: has the same ${what} as ${before.image.file} in one series; remove one or keep the acquisitions in separate series`,
      );
    }
  });
  return keyed.map(({ image }) => image);
}

/** Sentences where a series' files name more windows than the one that was taken. */
export function windowNotes(name: string, { window }: ChosenView, images: readonly DicomFile[]): string[] {
  const [first] = images;
  if (first?.window !== window) return [];
  const others = images.filter((image) => image.window?.low !== window.low || image.window.high !== window.high);
  const lists = first.windows > 1 ? [`${name}: the first of ${first.windows} windows in its files was taken`] : [];
  const [other] = others;
  if (other === undefined) return lists;
  const named = other.window === undefined ? "no window" : `the window ${rangeText(other.window)}`;
  return [...lists, `${name}: the first slice's window was taken for all; ${others.length} name another (${named})`];
}

/**
 * The class mask of one image: each segment's class painted where its frames lie, in order of segment numbers (higher ones
 * on top). `classOf` maps a segment's name to its class.
 */
export function maskOf(
  image: DicomFile,
  segmentations: readonly Segmentation[],
  classOf: (label: string) => number,
): ByteImage {
  const { rows, columns } = image;
  const data = new Uint8Array(rows * columns);
  for (const { file, frames, segments, rows: height, columns: width } of segmentations) {
    const mine = frames.filter((frame) => belongsTo(frame, image, file)).sort((a, b) => a.segment - b.segment);
    if (mine.length > 0 && (height !== rows || width !== columns)) {
      throw dicomError(file, `frames of ${width}x${height} on images of ${columns}x${rows} (${image.file})`);
    }
    for (const { segment, inside } of mine) {
      const value = classOf(segments.get(segment) ?? "");
      inside.forEach((bit, pixel) => {
        if (bit === 1) data[pixel] = value;
      });
    }
  }
  return { width: columns, height: rows, channels: 1, data };
}
