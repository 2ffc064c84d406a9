import { csv } from "../../csv.ts";
import type { ByteImage, Picture } from "../../data/image/image.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import type { Finding } from "../../inference/predictor.ts";
import { type MeasuredObject, measured, type PixelCertainty } from "../../objects/measure.ts";
import { objectRow, titles, values } from "../../objects/object-rows.ts";
import type { PixelSize } from "../../objects/shape.ts";
import { objectsOf } from "../../objects/split.ts";

/** What was found in one picture, measured. */
export interface Result {
  /** Of the file; a slice of it is counted from 0. */
  readonly name: string;
  readonly slice: number | undefined;
  readonly picture: Picture;
  readonly mask: ByteImage;
  readonly certainty: PixelCertainty;
  /** By size, the largest first. */
  readonly objects: readonly MeasuredObject[];
}

interface Source extends Pick<Result, "name" | "slice" | "picture"> {
  /** Millimetres between columns and rows, where the file says. */
  readonly pixelSize: PixelSize | undefined;
}

/** Counts and measures the objects of a finding. */
export function resultOf({ pixelSize, ...source }: Source, found: Finding, { classes }: CheckpointFacts): Result {
  const { mask, certainty, borders } = found;
  const objects = measured(objectsOf(mask.data, mask, classes.length, { borders }), mask, { pixelSize, certainty });
  return { ...source, mask, certainty, objects: objects.sort((one, two) => two.pixels.length - one.pixels.length) };
}

/** The table of objects with the columns of `svanet predict --format csv`, the largest object first. */
export function tableOf({ objects, ...image }: Result, { classes }: CheckpointFacts): string {
  const rows = objects.map((object, index) => values(objectRow(classes, image, object, index + 1)));
  return csv([titles(objectRow(classes)), ...rows]);
}

/** Number and area of the objects, in a sentence: `3 objects, 512 px, 1.28 mm²`. */
export function summaryOf({ objects, mask }: Result): string {
  if (objects.length === 0) return "Nothing found";
  const pixels = objects.reduce((sum, { shape }) => sum + shape.area, 0);
  const area = objects.reduce((sum, { millimetres }) => sum + (millimetres?.area ?? Number.NaN), 0);
  const share = ((100 * pixels) / (mask.width * mask.height)).toFixed(1);
  const parts = [
    objects.length === 1 ? "1 object" : `${objects.length} objects`,
    `${pixels.toLocaleString("en")} px (${share} %)`,
    ...(Number.isNaN(area) ? [] : [`${area.toPrecision(4)} mm²`]),
  ];
  return parts.join(", ");
}
