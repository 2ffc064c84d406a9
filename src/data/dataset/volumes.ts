import type { DatasetYaml } from "./dataset-yaml.ts";

/** Where an image lies in a volume. */
export interface VolumePlace {
  /** The start of its slices' names. */
  readonly name: string;
  /** Number of the slice: neighbouring slices differ by one. */
  readonly slice: number;
}

/** Millimetres between neighbouring columns and rows, and of a slice of a volume between slices. */
export type Spacing = readonly [column: number, row: number, slice?: number];

/** What dataset.yaml says of one image beside its classes. */
export interface PlaceFacts {
  readonly volume?: VolumePlace;
  readonly spacing?: Spacing;
}

/** The kinds of `data prepare` that cut volumes into slices; folders from before dataset.yaml listed volumes say so only by these. */
const SLICING_KINDS: readonly unknown[] = ["nifti", "dicom", "kits23", "atlas"];

/** `<volume>_<number of the slice>`, as `data prepare` names slices. */
const SLICE_NAME = /^(.+)_(\d{4,})$/;

/** Volume and spacing of the image called `stem`: a slice of one of `volumes`, else a picture of the set's `spacing`. */
export function placeOf(stem: string, { volumes, spacing, provenance }: DatasetYaml): PlaceFacts {
  const [, name, digits] = SLICE_NAME.exec(stem) ?? [];
  const listed = name !== undefined && volumes !== undefined && Object.hasOwn(volumes, name);
  const own = listed ? volumes[name] : undefined;
  const known = listed || (volumes === undefined && SLICING_KINDS.includes(provenance?.["set"]));
  const millimetres = own?.spacing ?? spacing;
  return {
    ...(known && name !== undefined ? { volume: { name, slice: Number(digits) } } : {}),
    ...(millimetres ? { spacing: millimetres } : {}),
  };
}
