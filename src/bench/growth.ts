import type { FpsRow } from "./fps.ts";
import { type Fit, type Judged, judged } from "./growth-fit.ts";

/** What grows while the rest stays. */
export const AXES = ["size", "batch", "width"] as const;
export type Axis = (typeof AXES)[number];

/** One network at one size, batch and width. */
export interface GrowthRun {
  /** The axes on which it lies: the point from which all start lies on each. */
  readonly axes: readonly Axis[];
  readonly size: number;
  readonly batch: number;
  /** Channels where the network is narrowest; null for its own width. */
  readonly width: number | null;
}

export interface GrowthSpec {
  readonly start: Omit<GrowthRun, "axes">;
  readonly sizes: readonly number[];
  readonly batches: readonly number[];
  readonly widths: readonly number[];
}

/** Every run once, the starting point among them. */
export function runsOf({ start, sizes, batches, widths }: GrowthSpec): GrowthRun[] {
  const found = new Map<string, GrowthRun>();
  const add = (axis: Axis, change: Partial<GrowthRun>) => {
    const run = { axes: [], ...start, ...change };
    const key = `${run.size} ${run.batch} ${run.width}`;
    found.set(key, { ...run, axes: [...(found.get(key)?.axes ?? []), axis] });
  };
  for (const size of new Set([...sizes, start.size])) add("size", { size });
  for (const batch of new Set([...batches, start.batch])) add("batch", { batch });
  for (const width of new Set([...widths, start.width])) add("width", { width });
  return [...found.values()];
}

/** A run with its figures, or why it has none. */
export type GrowthRow = GrowthRun & ((FpsRow & Judged & { readonly refusal: null }) | { readonly refusal: string });

export type MeasuredRow = Extract<GrowthRow, { readonly refusal: null }>;

export interface Growth {
  readonly preset: string;
  readonly fit: Fit | null;
  /** Of the time from what is proportional, the largest of all points; null without figures. */
  readonly largestDeviation: number | null;
  readonly rows: readonly GrowthRow[];
}

export type MeasuredRun = GrowthRun & ((FpsRow & { readonly refusal: null }) | { readonly refusal: string });

/** Holds the time of every run against what is proportional to its multiply-accumulates above the overhead floor. */
export function growthOf(preset: string, runs: readonly MeasuredRun[]): Growth {
  const measured = runs.flatMap((run) => (run.refusal === null ? [run] : []));
  if (measured.length === 0) return { preset, fit: null, largestDeviation: null, rows: runs.filter(isRefused) };
  const { fit, points } = judged(
    measured.map(({ dispatches, executedMacs, batch, medianMs, productMs, gpuMs }) => ({
      ...{ dispatches, macs: executedMacs * batch, milliseconds: medianMs, productMs, gpuMs },
    })),
  );
  const rows = runs.map((run): GrowthRow => {
    if (run.refusal !== null) return run;
    const point = points[measured.indexOf(run)];
    if (!point) throw new Error("a measured run was not judged");
    return { ...run, ...point };
  });
  const largestDeviation = Math.max(...points.map(({ deviation }) => Math.abs(deviation)));
  return { preset, fit, largestDeviation, rows };
}

const isRefused = <R extends { readonly refusal: string | null }>(row: R): row is R & { readonly refusal: string } =>
  row.refusal !== null;
