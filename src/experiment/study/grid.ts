import { UsageError } from "../../errors.ts";
import { random } from "../../kernels/random.ts";
import { flagOf, sizeText, type TrainConfig, type TrainField } from "../settings/config.ts";
import type { Arm } from "./plan.ts";

/** A setting that is varied: over values, or between two numbers. */
export interface Axis {
  readonly field: TrainField;
  /** As it was given. */
  readonly text: string;
  readonly over: readonly unknown[] | Range;
}

/** From `low` to `high`, both included; of whole numbers only such. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** A choice of every axis' value. */
export type Point = Readonly<Partial<Record<TrainField, unknown>>>;

const isRange = (over: Axis["over"]): over is Range => "low" in over;

/** Points that a grid may have: each is at least one training. */
const MOST_POINTS = 1000;

/** Every combination of the values, the last axis fastest. UsageError for a range, which has no end of values. */
export function gridPoints(axes: readonly Axis[]): Point[] {
  const range = axes.find(({ over }) => isRange(over));
  if (range !== undefined) {
    throw new UsageError(`--grid ${range.text}: a range is drawn from: add --random N, or list values`);
  }
  return axes.reduce<Point[]>(
    (points, { field, over }) => {
      const values = isRange(over) ? [] : over;
      if (points.length * values.length > MOST_POINTS) {
        throw new UsageError(`--grid: more than ${MOST_POINTS} combinations; draw some with --random N`);
      }
      return points.flatMap((point) => values.map((value) => ({ ...point, [field]: value })));
    },
    [{}],
  );
}

/**
 * `count` different points by the draws of `seed`: a value of a list, each as likely; of a range evenly, or evenly in its logarithm where
 * its ends are positive and at least tenfold apart. The first ones do not change with `count`. UsageError where there are not so
 * many different ones.
 */
export function randomPoints(axes: readonly Axis[], count: number, seed: number): Point[] {
  const points = new Map<string, Point>();
  for (let draw = 0; points.size < count; draw++) {
    if (draw > 100 * count) {
      throw new UsageError(`--random ${count}: 100 draws each found only ${points.size} different ones; ask for fewer`);
    }
    const walk = random(seed, "grid", draw);
    const point = Object.fromEntries(axes.map(({ field, over }) => [field, drawn(over, walk)]));
    const key = JSON.stringify(point);
    if (!points.has(key)) points.set(key, point);
  }
  return [...points.values()];
}

function drawn(over: Axis["over"], walk: ReturnType<typeof random>): unknown {
  if (!isRange(over)) return over[walk.integer(over.length)];
  const { low, high } = over;
  if (Number.isInteger(low) && Number.isInteger(high)) return low + walk.integer(high - low + 1);
  const share = walk.uniform();
  const value = low > 0 && high >= 10 * low ? low * (high / low) ** share : low + share * (high - low);
  // Four digits: what is printed is what is trained.
  return Number(value.toPrecision(4));
}

/** The rows of points: `configOf` makes the whole recipe of one. */
export function gridArms(points: readonly Point[], configOf: (point: Point) => TrainConfig): Arm[] {
  return points.map((point) => {
    const label = Object.entries(point)
      .map(([field, value]) => `${flagOf(field).slice(2)} ${shown(value)}`)
      .join(", ");
    return { key: label, label, config: configOf(point) };
  });
}

function shown(value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "object" && value !== null) {
    return "width" in value ? sizeText(value as TrainConfig["size"]) : JSON.stringify(value);
  }
  return String(value);
}
