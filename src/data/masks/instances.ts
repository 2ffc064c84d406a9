import { DataError } from "../../errors.ts";
import { whole } from "./reading.ts";
import { placeIn, type Values } from "./stored-mask.ts";

/** Where a dataset folder keeps single objects: `instances/<stem>.png`, grey of 16 bits. */
export const INSTANCE_FOLDER = "instances";

/** The highest number an object of a picture may have; 0 is no object. */
export const MOST_INSTANCES = 65535;

/** The objects of a picture: 0 is none, 1 to 65535 the number of one, row by row. */
export interface InstanceMap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint16Array;
}

/** The error of a picture with more objects than numbers. */
export const tooManyInstances = (file: string, count: number): DataError =>
  new DataError(
    `${file}: holds ${count} objects, a picture of a dataset folder at most ${MOST_INSTANCES}; cut it into smaller pictures`,
  );

/**
 * Numbers of objects as they are stored, in 16 bits: kept as they are up to 65535, else counted anew from 1 in their order. Throws
 * DataError naming `file`, value and place where one is no whole number from 0 on, or where there are too many.
 */
export function instanceNumbers(values: Values, width: number, file: string): Uint16Array {
  const ids = new Set<number>();
  for (let at = 0; at < values.length; at++) {
    const id = whole(values[at] ?? 0);
    if (!(Number.isSafeInteger(id) && id >= 0)) {
      throw new DataError(
        `${file}: holds the value ${id} at ${placeIn(width, at)}; objects are numbered from 1, 0 is none`,
      );
    }
    ids.add(id);
  }
  const sorted = [...ids].filter((id) => id > 0).sort((a, b) => a - b);
  if (sorted.length > MOST_INSTANCES) throw tooManyInstances(file, sorted.length);
  if ((sorted.at(-1) ?? 0) <= MOST_INSTANCES) return Uint16Array.from(values, whole);
  const numbers = new Map([[0, 0] as const, ...sorted.map((id, at) => [id, at + 1] as const)]);
  return Uint16Array.from(values, (value) => numbers.get(whole(value)) ?? 0);
}
