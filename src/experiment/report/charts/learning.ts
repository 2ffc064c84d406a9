import type { ReportData, ReportRun } from "../data.ts";
import { type Absent, type Chart, type Drawing, figure, framed, legend, looks, tableOf } from "./chart.ts";
import { groupsOf } from "./groups.ts";

/** The training curves of a report. */
const CURVES = {
  loss: { title: "Training loss", axis: "loss", of: "loss", format: undefined },
  rate: { title: "Learning rate", axis: "learning rate", of: "rate", format: ".1e" },
} as const;
/** Its validation curves. */
const VALIDATIONS = {
  "validation-loss": { title: "Validation loss", axis: "cross-entropy (nats)", of: "loss" },
  "foreground-dice": { title: "Foreground Dice on val", axis: "foreground Dice (%)", of: "foregroundDice" },
  mdice: { title: "mDice on val", axis: "mDice (%)", of: "mDice" },
  miou: { title: "mIoU on val", axis: "mIoU (%)", of: "mIoU" },
} as const;

/** A point of a curve. */
interface Point {
  readonly run: string;
  readonly group: string;
  readonly step: number;
  readonly value: number;
}

/** Curves over the updates of every run, each to be drawn for a width: loss, rate and the scores of validations. */
export function learningCurves(data: ReportData): ((drawing: Drawing) => Chart | Absent)[] {
  const absent = (sentence: string) => () => ({ absent: sentence });
  if (data.runs.every(({ curves }) => curves.train.step.length === 0)) {
    return [absent("No update is logged yet: a run writes metrics.jsonl as it trains.")];
  }
  const per = Math.max(...data.runs.map(({ curves }) => curves.train.per));
  const stretch = per > 1 ? `, means of stretches of up to ${per} updates` : "";
  const drawn = (one: Curve) => (drawing: Drawing) => curve(data, one, drawing);
  const training = Object.entries(CURVES).map(([id, { title, axis, of, format }]) => {
    const points = data.runs.flatMap((run) => pointsOf(run, run.curves.train.step, run.curves.train[of]));
    const caption = `${title} over the updates of ${countText(data)}${of === "loss" ? stretch : ""}.`;
    return drawn({ id, title, caption, axis, points, format });
  });
  const isJudged = data.runs.some(({ curves }) => curves.val.step.length > 0);
  if (!isJudged) {
    return [...training, absent("No validation yet: a run is judged on val at the end of epochs (--eval-every).")];
  }
  const validations = Object.entries(VALIDATIONS).flatMap(([id, { title, axis, of }]) => {
    const points = data.runs.flatMap((run) => pointsOf(run, run.curves.val.step, run.curves.val[of]));
    const caption = `${title} at every validation of ${countText(data)}, by the updates done.`;
    return points.length === 0 ? [] : [drawn({ id, title, caption, axis, points })];
  });
  return [...training, ...validations];
}

const countText = ({ runs }: ReportData): string =>
  runs.length === 1 ? "the run" : `${runs.length} runs, a line each`;

function pointsOf({ name, group }: ReportRun, steps: readonly number[], values: readonly (number | null)[]): Point[] {
  return steps.flatMap((step, i) => {
    const value = values[i];
    return value === null || value === undefined ? [] : [{ run: name, group, step, value }];
  });
}

interface Curve extends Pick<Chart, "id" | "title" | "caption"> {
  readonly axis: string;
  readonly points: readonly Point[];
  /** Of the axis, where the usual one does not do. */
  readonly format?: string | undefined;
}

/** From this ratio of largest to smallest on, a loss is drawn by its logarithm. */
const LOG_FROM = 30;

function curve(data: ReportData, { id, title, caption, axis, points, format }: Curve, drawing: Drawing): Chart {
  const groups = groupsOf(data);
  const { color, dash } = looks(groups);
  const values = points.map(({ value }) => value);
  const [low, high] = [least(values), -least(values.map((value) => -value))];
  const isLog = axis !== "learning rate" && low > 0 && high / low > LOG_FROM;
  const many = new Set(points.map(({ run }) => run)).size > 1;
  return {
    ...{ id, title, caption: isLog ? `${caption} Logarithmic scale.` : caption },
    spec: {
      ...framed(drawing, 240),
      data: { values: [...points] },
      mark: {
        type: "line",
        interpolate: "linear",
        strokeWidth: many ? 1.4 : 1.8,
        point: points.length < 2 * data.runs.length,
      },
      encoding: {
        x: {
          field: "step",
          type: "quantitative",
          scale: { zero: true },
          axis: { title: "updates", tickCount: 6, grid: false },
        },
        y: {
          field: "value",
          type: "quantitative",
          scale: isLog ? { type: "log" } : { zero: false, nice: true },
          axis: { title: axis, tickCount: 5, ...(format === undefined ? {} : { format }) },
        },
        color: { field: "group", type: "nominal", scale: color, legend: legend(groups, drawing) },
        strokeDash: { field: "group", type: "nominal", scale: dash, legend: legend(groups, drawing) },
        detail: { field: "run" },
      },
    },
    table: curveTable(points, format),
  };
}

/** Not by spreading: there may be more values than a call takes. */
const least = (values: readonly number[]): number =>
  values.reduce((found, value) => Math.min(found, value), Number.POSITIVE_INFINITY);

function curveTable(points: readonly Point[], format: string | undefined): Chart["table"] {
  const text = (value: number) => (format === ".1e" ? value.toExponential(2) : figure(value, 4));
  const runs = new Map<string, Point[]>();
  for (const point of points) {
    const own = runs.get(point.run);
    if (own) own.push(point);
    else runs.set(point.run, [point]);
  }
  const rows = [...runs].map(([run, own]) => {
    const sorted = own.toSorted((a, b) => a.value - b.value);
    const [first, last, low, high] = [own[0], own.at(-1), sorted[0], sorted.at(-1)];
    const at = (point: Point | undefined) => (point === undefined ? "–" : `${text(point.value)} at ${point.step}`);
    return [run, ...[first, last, low, high].map(at)];
  });
  return tableOf(["run", "first, at update", "last", "lowest", "highest"], rows);
}
