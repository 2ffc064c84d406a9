import { csv } from "../csv.ts";
import { classValues } from "./overlap.ts";
import { type Emptiness, SURFACE_TOLERANCE, surfaceScore } from "./surface.ts";
import { countsOf, type Totals } from "./totals.ts";

/** A volume's labels, slice behind slice, as they are compared. */
export interface CaseMaps {
  /** `[slices, height, width]`; ignored pixels are out of the prediction already. */
  readonly prediction: Uint8Array;
  readonly target: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** Millimetres between neighbouring slices, rows and columns. */
  readonly spacing: readonly [slice: number, row: number, column: number];
}

/** A volume, or whatever else is one case. */
export interface CaseInput {
  readonly name: string;
  readonly slices: number;
  /** Counts of all slices together. */
  readonly totals: Totals;
  /** Left out where no border is compared: the spacing is unknown, or slices are missing or differ in size. */
  readonly maps?: CaseMaps | undefined;
}

/** One foreground class of one case. Percent and millimetres; NaN where there is nothing to measure. */
export interface CaseClass {
  readonly class: number;
  /** Whether the masks or the predictions lack the class; "both": the case says nothing of it. */
  readonly empty: Emptiness;
  /** Dice of all voxels together; NaN where neither holds the class. */
  readonly dice: number;
  readonly surfaceDice: number;
  readonly hausdorff95: number;
}

export interface CaseResult {
  readonly name: string;
  readonly slices: number;
  /** Millimetres; null where borders were not compared. */
  readonly spacing: CaseMaps["spacing"] | null;
  /** Mean of the classes' Dice, of those that mask or prediction hold. */
  readonly foregroundDice: number;
  readonly classes: readonly CaseClass[];
}

/** Means over cases, each case counting once. */
export interface CaseSummary {
  readonly foregroundDice: number;
  readonly hausdorff95: number;
  readonly surfaceDice: number;
}

export interface CasesResult extends CaseSummary {
  /** Tolerance of surface Dice, millimetres. */
  readonly tolerance: number;
  readonly policy: string;
  readonly classes: readonly (Pick<CaseClass, "class" | "dice" | "surfaceDice" | "hausdorff95"> & {
    /** Cases whose mask or prediction holds the class. */
    readonly cases: number;
    /** Those whose mask holds it. */
    readonly labelled: number;
  })[];
  readonly cases: readonly CaseResult[];
}

/** What is done with classes that are absent. */
const CASE_POLICY =
  "3-D Dice of a case: all its slices together; a class that neither mask nor prediction holds is left out, one that only " +
  "one of them holds has Dice 0, surface Dice 0 and no distance. Borders in millimetres, by neighbours in three directions, " +
  "where the spacing is known and no slice between is missing. Means are over cases";

/** The mean of what was measured; NaN where nothing was. */
function meanOf(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Scores a case of `classes` classes. */
export function scoreCase(input: CaseInput, tolerance = SURFACE_TOLERANCE): CaseResult {
  const { name, slices, totals, maps } = input;
  const counts = countsOf(totals);
  const { dice } = classValues(counts);
  const classes = Array.from({ length: totals.classes - 1 }, (_, i): CaseClass => {
    const label = i + 1;
    const empty = emptiness(counts.predicted[label] ?? 0, counts.truth[label] ?? 0);
    const absent = { class: label, empty, dice: Number.NaN, surfaceDice: Number.NaN, hausdorff95: Number.NaN };
    if (empty === "both") return absent;
    const overlap = { ...absent, dice: 100 * (dice[label] ?? 0) };
    return maps ? { ...overlap, ...bordersOf(maps, label, tolerance) } : overlap;
  });
  const foregroundDice = meanOf(classes.map((one) => one.dice));
  return { name, slices, spacing: maps?.spacing ?? null, foregroundDice, classes };
}

function emptiness(predicted: number, labelled: number): Emptiness {
  if (predicted > 0) return labelled > 0 ? "none" : "target";
  return labelled > 0 ? "prediction" : "both";
}

function bordersOf(maps: CaseMaps, label: number, tolerance: number) {
  const { prediction, target, spacing, ...box } = cutTo(maps, label);
  const found = surfaceScore(prediction, target, { ...box, label, spacing, tolerance });
  return { surfaceDice: 100 * found.dice, hausdorff95: found.hausdorff95 };
}

/** The part of a volume that holds all of a class in both maps: nothing outside it decides a distance. */
function cutTo({ prediction, target, height, width, spacing }: CaseMaps, label: number) {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const most = [-1, -1, -1];
  for (let at = 0; at < target.length; at++) {
    if (prediction[at] !== label && target[at] !== label) continue;
    const line = Math.floor(at / width);
    const place = [Math.floor(line / height), line % height, at % width];
    for (const [axis, value] of place.entries()) {
      least[axis] = Math.min(least[axis] ?? value, value);
      most[axis] = Math.max(most[axis] ?? value, value);
    }
  }
  const [depth, rows, columns] = most.map((value, axis) => value - (least[axis] ?? 0) + 1) as [number, number, number];
  const [front, top, left] = least as [number, number, number];
  const cut = (map: Uint8Array) => {
    const out = new Uint8Array(depth * rows * columns);
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < rows; y++) {
        const from = ((front + z) * height + top + y) * width + left;
        out.set(map.subarray(from, from + columns), (z * rows + y) * columns);
      }
    }
    return out;
  };
  return { prediction: cut(prediction), target: cut(target), depth, height: rows, width: columns, spacing };
}

/** The cases together. */
export function casesResult(cases: readonly CaseResult[], tolerance = SURFACE_TOLERANCE): CasesResult {
  const count = cases[0]?.classes.length ?? 0;
  const classes = Array.from({ length: count }, (_, i) => {
    const own = cases.flatMap((one) => one.classes[i] ?? []);
    const held = own.filter(({ empty }) => empty !== "both");
    const mean = (key: "dice" | "surfaceDice" | "hausdorff95") => meanOf(held.map((one) => one[key]));
    return {
      ...{ class: i + 1, cases: held.length, labelled: held.filter(({ empty }) => empty !== "target").length },
      ...{ dice: mean("dice"), surfaceDice: mean("surfaceDice"), hausdorff95: mean("hausdorff95") },
    };
  });
  return {
    foregroundDice: meanOf(cases.map((one) => one.foregroundDice)),
    surfaceDice: meanOf(classes.map((one) => one.surfaceDice)),
    hausdorff95: meanOf(classes.map((one) => one.hausdorff95)),
    ...{ tolerance, policy: CASE_POLICY, classes, cases },
  };
}

const number = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;

/** A row for each case as CSV with a header line: percent and millimetres, unrounded, missing ones empty. */
export function caseTable({ cases }: CasesResult): string {
  const spacing = ["spacingColumn", "spacingRow", "spacingSlice"];
  const labels = (cases[0]?.classes ?? []).map((one) => one.class);
  const header = [
    ...["name", "slices", ...spacing, "foregroundDice"],
    ...labels.flatMap((label) => [`dice${label}`, `surfaceDice${label}`, `hausdorff95_${label}`]),
  ];
  const rows = cases.map((one) => [
    ...[one.name, one.slices, ...(one.spacing?.toReversed() ?? [null, null, null]), number(one.foregroundDice)],
    ...one.classes.flatMap(({ dice, surfaceDice, hausdorff95 }) => [dice, surfaceDice, hausdorff95].map(number)),
  ]);
  return csv([header, ...rows]);
}
