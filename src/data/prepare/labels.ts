import { DataError } from "../../errors.ts";
import { readBytes } from "../decode.ts";
import type { ValueSlice } from "../formats/values.ts";
import { type ByteImage, filled, type Size } from "../image/image.ts";
import { type InstanceMap, instanceNumbers, MOST_INSTANCES, tooManyInstances } from "../masks/instances.ts";
import { readStored } from "../masks/read-mask.ts";
import { type MaskReading, readClasses, readLevels } from "../masks/reading.ts";
import { placeIn, type StoredMask } from "../masks/stored-mask.ts";
import type { FileLayer, PictureTask, ShapesLayer } from "./plan.ts";
import { paintShapes } from "./shapes.ts";

const CLASS_NUMBERS: MaskReading = { kind: "classes" };

/** How the numbers of a label array are read: as class numbers from 0 to `largest`, unless someone said otherwise. */
export interface ArrayReading {
  readonly largest: number;
  readonly reading?: MaskReading | undefined;
}

/**
 * A slice of a label array as a mask; numbers within 1e-4 of whole ones are whole. What is no class is refused, never
 * rounded: throws DataError naming `file`, value and place. `slice` stands in the place, of a volume.
 */
export function labelMask(
  { width, height, values, nonFinite }: ValueSlice,
  { largest, reading = CLASS_NUMBERS }: ArrayReading,
  file: string,
  slice?: number,
): ByteImage {
  if (nonFinite > 0) {
    const where = slice === undefined ? "" : ` in slice ${slice}`;
    throw new DataError(`${file}: ${nonFinite} labels${where} are NaN or infinite; write class numbers`);
  }
  const before = slice === undefined ? "" : `slice ${slice}, `;
  const placeOf = (at: number) => before + placeIn(width, at);
  const data = readLevels(values, reading, { file, largest, ignore: false, placeOf });
  return { width, height, channels: 1, data };
}

function requireSize(file: string, size: Size, image: Size, imageFile: string): void {
  if (size.width === image.width && size.height === image.height) return;
  throw new DataError(
    `${file}: the mask has ${size.width}x${size.height} pixels, its image ${imageFile} ${image.width}x${image.height}; ` +
      "restore both from their source",
  );
}

/** What the layers of a picture give: classes, and objects where they are kept. */
export interface Painted {
  readonly mask: ByteImage;
  readonly instances: InstanceMap | undefined;
}

/** Paints one layer after the other, later ones on top. */
class Painter {
  readonly mask: ByteImage;
  readonly instances: InstanceMap | undefined;
  readonly #imageFile: string;
  /** Objects so far. */
  #count = 0;

  constructor({ width, height }: Size, imageFile: string, keepsObjects: boolean) {
    this.mask = filled({ width, height }, 1, 0);
    this.instances = keepsObjects ? { width, height, data: new Uint16Array(width * height) } : undefined;
    this.#imageFile = imageFile;
  }

  async #stored(file: string): Promise<StoredMask> {
    const stored = await readStored(await readBytes(file), file);
    requireSize(file, stored, this.mask, this.#imageFile);
    return stored;
  }

  async file({ file, value, reading = CLASS_NUMBERS }: FileLayer): Promise<void> {
    const stored = await this.#stored(file);
    const labels = readClasses(stored, value === "labels" ? reading : { kind: "white" }, 254);
    const own =
      value === "labels" && reading.kind === "instances"
        ? instanceNumbers(stored.values, stored.width, file)
        : undefined;
    const object = own === undefined && labels.data.some((label) => label !== 0) ? this.#next(file, 1) : 0;
    labels.data.forEach((label, pixel) => {
      if (label === 0) return;
      this.mask.data[pixel] = value === "labels" ? label : value;
      if (this.instances !== undefined) this.instances.data[pixel] = own?.[pixel] ?? object;
    });
  }

  shapes({ file, shapes }: ShapesLayer): void {
    const { mask, instances } = this;
    const paint = (start: number, length: number, label: number, object: number) => {
      mask.data.fill(label, start, start + length);
      instances?.data.fill(object, start, start + length);
    };
    this.#next(file, paintShapes(shapes, { size: mask, file, first: this.#count + 1 }, paint));
  }

  /** Objects told by a label picture of their numbers. */
  async objects(file: string): Promise<void> {
    const { values, width, depth } = await this.#stored(file);
    const none = depth <= 8 ? 255 : -1;
    const numbers = values.map((value) => (value === none ? 0 : value));
    this.instances?.data.set(instanceNumbers(numbers, width, file));
  }

  /** Counts objects of `file`; gives the number of the last. */
  #next(file: string, objects: number): number {
    this.#count += objects;
    if (this.instances !== undefined && this.#count > MOST_INSTANCES) throw tooManyInstances(file, this.#count);
    return this.#count;
  }
}

/**
 * The mask painted from a picture's layers, and its objects where the task keeps them. Throws DataError where sizes differ or a
 * file is damaged.
 */
export async function paintLayers({ layers, image, instances, objects }: PictureTask, size: Size): Promise<Painted> {
  const numbered = layers.some((layer) => "reading" in layer && layer.reading?.kind === "instances");
  const painter = new Painter(size, image, instances === true || numbered || objects !== undefined);
  for (const layer of layers) {
    if ("shapes" in layer) painter.shapes(layer);
    else await painter.file(layer);
  }
  if (objects !== undefined) await painter.objects(objects);
  return painter;
}
