import type { MetricsRow } from "../run/metrics-log.ts";
import type { RunCurves, ValidationScore } from "./data.ts";
import { VALIDATION_SCORES } from "./data.ts";

/** Points that all curves of a report have together: a page draws so many without a pause. */
const MOST_POINTS = 6000;
/** Points of one curve: as many as a printed column shows apart, and the fewest that show its shape. */
const [FEWEST, MOST] = [60, 400];

/** How many points a curve may have where there are so many runs. */
export const pointsPerRun = (runs: number): number =>
  Math.round(Math.min(MOST, Math.max(FEWEST, MOST_POINTS / Math.max(1, runs))));

/**
 * The curves of a run from its log, at most `points` long: training steps are averaged in stretches of equal length, of
 * validations every so many-th is kept, and the last.
 */
export function curvesOf(rows: Iterable<MetricsRow>, points: number): RunCurves {
  const train: MetricsRow[] = [];
  const val: MetricsRow[] = [];
  for (const row of rows) (row.kind === "train" ? train : row.kind === "val" ? val : []).push(row);
  return { train: averaged(train, points), val: spaced(val, points) };
}

function averaged(rows: readonly MetricsRow[], points: number): RunCurves["train"] {
  const per = Math.max(1, Math.ceil(rows.length / points));
  const stretches = Array.from({ length: Math.ceil(rows.length / per) }, (_, i) => rows.slice(i * per, (i + 1) * per));
  const column = (name: string) => stretches.map((part) => mean(part.map((row) => numberOf(row, name))));
  return {
    step: stretches.map((part) => part.at(-1)?.step ?? 0),
    loss: column("loss"),
    rate: column("rate"),
    per,
  };
}

function spaced(rows: readonly MetricsRow[], points: number): RunCurves["val"] {
  const every = Math.max(1, Math.ceil(rows.length / points));
  const kept = rows.filter((_, i) => i % every === 0 || i === rows.length - 1);
  const column = (name: ValidationScore) => kept.map((row) => rounded(numberOf(row, name)));
  const scores = Object.fromEntries(VALIDATION_SCORES.map((name) => [name, column(name)]));
  return { step: kept.map(({ step }) => step), ...(scores as Record<ValidationScore, (number | null)[]>) };
}

function numberOf(row: MetricsRow, name: string): number | null {
  const value = row[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** The mean of what is known; null where nothing is. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : rounded(known.reduce((sum, value) => sum + value, 0) / known.length);
}

/** Five digits that count: more cannot be seen, and the page stays small. */
export function rounded(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(5));
}
