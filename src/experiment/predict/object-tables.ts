import { join } from "node:path";
import { csv } from "../../csv.ts";
import type { FoundObject } from "../../data/export/found-object.ts";
import { AtomicFile } from "../../files/atomic.ts";
import type { MeasuredObject } from "../../objects/measure.ts";
import type { Shape } from "../../objects/shape.ts";
import type { Sides } from "../../objects/split.ts";

/** Files of all inputs: a line for each object, and one for each class of each image. */
export const OBJECTS_NAME = "objects.csv";
export const COUNTS_NAME = "counts.csv";

/** Columns of an object's form: what is measured, in pixels and, behind them, in millimetres. */
const LENGTHS = {
  equivalent_diameter: ({ equivalentDiameter }: Shape) => equivalentDiameter,
  feret_max: ({ feretMax }: Shape) => feretMax,
  feret_min: ({ feretMin }: Shape) => feretMin,
  perimeter: ({ perimeter }: Shape) => perimeter,
  centroid_x: ({ centroid }: Shape) => centroid[0],
  centroid_y: ({ centroid }: Shape) => centroid[1],
} as const;

type Row = readonly (readonly [column: string, value: string | number | null])[];

/** A number that exists, else nothing. */
const known = (value: number | undefined): number | null => (value === undefined || Number.isNaN(value) ? null : value);

/** Size and form in one unit; of no object: the columns without values. */
function formRow(shape: Shape | undefined, unit: "px" | "mm"): Row {
  return [
    [unit === "px" ? "area_px" : "area_mm2", known(shape?.area)],
    ...Object.entries(LENGTHS).map(([name, value]) => [`${name}_${unit}`, known(shape && value(shape))] as const),
  ];
}

function measuresOf(object?: MeasuredObject): Row {
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

/** An object as other programs are told of it: its score, and what was measured by name. */
export function described(object: MeasuredObject): FoundObject {
  const numbers = measuresOf(object).filter((row): row is [string, number] => typeof row[1] === "number");
  return {
    class: object.class,
    pixels: object.pixels,
    score: object.probability,
    measurements: Object.fromEntries(numbers),
  };
}

/** The objects of one image, or of one slice of a stack. */
interface ImageObjects extends Sides {
  readonly name: string;
  /** From 0. */
  readonly slice?: number | undefined;
  readonly objects: readonly MeasuredObject[];
}

/** The tables of objects and of counts, written image by image. */
export class ObjectTables {
  readonly #objects: AtomicFile;
  readonly #counts: AtomicFile;
  readonly #classes: readonly string[];
  #images = 0;

  /** Starts both files in `folder`; they take their names when `finish` is called. Class names begin with the background. */
  constructor(folder: string, classes: readonly string[]) {
    this.#objects = new AtomicFile(join(folder, OBJECTS_NAME));
    this.#counts = new AtomicFile(join(folder, COUNTS_NAME));
    this.#classes = classes;
    this.#append(this.#objects, [titles(this.#objectRow())]);
    this.#append(this.#counts, [titles(this.#countRow(1, { name: "", objects: [], width: 1, height: 1 }))]);
  }

  add(image: ImageObjects): void {
    const objects = image.objects.map((object, index) => values(this.#objectRow(image, object, index + 1)));
    const counts = this.#classes.slice(1).map((_, index) => values(this.#countRow(index + 1, image)));
    this.#append(this.#objects, objects);
    this.#append(this.#counts, counts);
    this.#images++;
  }

  /** Ends both files; without an image there are none. */
  finish(): void {
    if (this.#images === 0) {
      this.discard();
      return;
    }
    this.#objects.finish();
    this.#counts.finish();
  }

  /** Removes what was written, unless it is finished. */
  discard(): void {
    this.#objects.discard();
    this.#counts.discard();
  }

  #classRow(label: number): Row {
    return [
      ["class", label],
      ["class_name", this.#classes[label] ?? `class ${label}`],
    ];
  }

  /** Without an object: the columns. */
  #objectRow(image?: ImageObjects, object?: MeasuredObject, number = 0): Row {
    const place = placeRow(image?.name ?? "", image?.slice);
    return [...place, ...this.#classRow(object?.class ?? 0), ["object", number], ...measuresOf(object)];
  }

  #countRow(label: number, { name, slice, objects, width, height }: ImageObjects): Row {
    const own = objects.filter((object) => object.class === label);
    const sum = (value: (object: MeasuredObject) => number) => own.reduce((total, object) => total + value(object), 0);
    const area = sum(({ shape }) => shape.area);
    const isMeasured = own.length > 0 && own.every(({ millimetres }) => millimetres !== undefined);
    return [
      ...placeRow(name, slice),
      ...this.#classRow(label),
      ["objects", own.length],
      ["at_edge", sum(({ edge }) => (edge ? 1 : 0))],
      ["area_px", area],
      ["area_percent", (100 * area) / (width * height)],
      ["mean_area_px", known(area / own.length)],
      ["area_mm2", isMeasured ? sum(({ millimetres }) => millimetres?.area ?? 0) : null],
      ["mean_area_mm2", isMeasured ? sum(({ millimetres }) => millimetres?.area ?? 0) / own.length : null],
    ];
  }

  #append(file: AtomicFile, rows: readonly (readonly Row[number][1][])[]): void {
    if (rows.length > 0) file.append(new TextEncoder().encode(csv(rows)));
  }
}

const titles = (row: Row): string[] => row.map(([column]) => column);
const values = (row: Row): Row[number][1][] => row.map(([, value]) => value);

const placeRow = (name: string, slice: number | undefined): Row => [
  ["image", name],
  ["slice", slice ?? null],
];
