import type { MeasuredObject } from "./measure.ts";
import type { Shape } from "./shape.ts";
import type { Sides } from "./split.ts";

/** Columns of an object's form: what is measured, in pixels and, behind them, in millimetres. */
const LENGTHS = {
  equivalent_diameter: ({ equivalentDiameter }: Shape) => equivalentDiameter,
  feret_max: ({ feretMax }: Shape) => feretMax,
  feret_min: ({ feretMin }: Shape) => feretMin,
  perimeter: ({ perimeter }: Shape) => perimeter,
  centroid_x: ({ centroid }: Shape) => centroid[0],
  centroid_y: ({ centroid }: Shape) => centroid[1],
} as const;

/** Cells of a line with the columns that they stand in. */
export type Row = readonly (readonly [column: string, value: string | number | null])[];

/** A number that exists, else nothing. */
export const known = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

/** Size and form in one unit; of no object: the columns without values. */
function formRow(shape: Shape | undefined, unit: "px" | "mm"): Row {
  return [
    [unit === "px" ? "area_px" : "area_mm2", known(shape?.area)],
    ...Object.entries(LENGTHS).map(([name, value]) => [`${name}_${unit}`, known(shape && value(shape))] as const),
  ];
}

/** All that is measured of an object; without one the columns with nothing in them. */
export function measuresOf(object?: MeasuredObject): Row {
  const { shape, millimetres, edge, probability, disagreement } = object ?? {};
  return [
    ...formRow(shape, "px"),
    ["circularity", known(shape?.circularity)],
    ["at_edge", edge ? 1 : 0],
    ...formRow(millimetres, "mm"),
    ["mean_probability", known(probability)],
    ["disagreement", known(disagreement)],
  ];
}

/** The objects of one image, or of one slice of a stack. */
export interface ImageObjects extends Sides {
  readonly name: string;
  /** From 0. */
  readonly slice?: number | undefined;
  readonly objects: readonly MeasuredObject[];
}

/** Which image, and which slice of it. */
export const placeRow = (name: string, slice: number | undefined): Row => [
  ["image", name],
  ["slice", slice ?? null],
];

/** A class by its label and its name. */
export function classRow(classes: readonly string[], label: number): Row {
  return [
    ["class", label],
    ["class_name", classes[label] ?? `class ${label}`],
  ];
}

/** A line of the table of objects: `number` counts an image's objects from 1. Without an object: the columns. */
export function objectRow(
  classes: readonly string[],
  image?: Omit<ImageObjects, "objects" | keyof Sides>,
  object?: MeasuredObject,
  number = 0,
): Row {
  const place = placeRow(image?.name ?? "", image?.slice);
  return [...place, ...classRow(classes, object?.class ?? 0), ["object", number], ...measuresOf(object)];
}

export const titles = (row: Row): string[] => row.map(([column]) => column);
export const values = (row: Row): Row[number][1][] => row.map(([, value]) => value);
