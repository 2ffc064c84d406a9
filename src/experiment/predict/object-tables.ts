import { join } from "node:path";
import { csv } from "../../csv.ts";
import type { FoundObject } from "../../data/export/found-object.ts";
import { AtomicFile } from "../../files/atomic.ts";
import type { MeasuredObject } from "../../objects/measure.ts";
import {
  classRow,
  type ImageObjects,
  known,
  measuresOf,
  objectRow,
  placeRow,
  type Row,
  titles,
  values,
} from "../../objects/object-rows.ts";

/** Files of all inputs: a line for each object, and one for each class of each image. */
export const OBJECTS_NAME = "objects.csv";
export const COUNTS_NAME = "counts.csv";

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
    this.#append(this.#objects, [titles(objectRow(this.#classes))]);
    this.#append(this.#counts, [titles(this.#countRow(1, { name: "", objects: [], width: 1, height: 1 }))]);
  }

  add(image: ImageObjects): void {
    const objects = image.objects.map((object, index) => values(objectRow(this.#classes, image, object, index + 1)));
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

  #countRow(label: number, { name, slice, objects, width, height }: ImageObjects): Row {
    const own = objects.filter((object) => object.class === label);
    const sum = (value: (object: MeasuredObject) => number) => own.reduce((total, object) => total + value(object), 0);
    const area = sum(({ shape }) => shape.area);
    const isMeasured = own.length > 0 && own.every(({ millimetres }) => millimetres !== undefined);
    return [
      ...placeRow(name, slice),
      ...classRow(this.#classes, label),
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
