import type { ReportData, ReportRun, RunRoc } from "../data.ts";
import {
  type Absent,
  type Chart,
  type Drawing,
  figure,
  framed,
  idOf,
  legend,
  looks,
  spreadText,
  tableOf,
} from "./chart.ts";
import { groupsOf, scoredText } from "./groups.ts";

/** A point of a ROC curve: fractions. */
interface Rates {
  readonly x: number;
  readonly y: number;
}

/** Where the mean curve is computed: dense on the left, where curves of small objects bend. */
const RATES = Array.from({ length: 201 }, (_, i) => (i / 200) ** 2);
/** False positive rates that the table gives the true positive rate for. */
const READ_AT = [0.001, 0.01, 0.05] as const;

/** ROC curves of the foreground, thin for each run, and for each network their mean: the paper's Figure 7. */
export function rocChart(data: ReportData, set: string, drawing: Drawing): Chart | Absent {
  const runs = data.runs.filter((run): run is ReportRun & { readonly roc: RunRoc } => run.roc?.set === set);
  if (runs.length === 0)
    return { absent: "No ROC curve is there: svanet eval RUN writes roc.csv, unless it is told --no-roc." };
  const groups = groupsOf(data).filter((group) => runs.some((run) => run.group === group));
  const of = (group: string) => runs.filter((run) => run.group === group).map(({ roc }) => roc);
  const means = groups.map((group) => ({ group, curve: meanCurve(of(group)) }));
  const thin = runs.flatMap(({ name, group, roc }) =>
    curvePoints(roc).map((point) => ({ ...point, group, run: name })),
  );
  const bold = means.flatMap(({ group, curve }) => curve.map((point) => ({ ...point, group })));
  const several = runs.length > groups.length;
  return {
    id: `roc-${idOf(set)}`,
    title: "ROC curves of the foreground",
    caption: `True against false positive rate of all pixels, foreground against background${
      several ? "; thin: each run, bold: their mean at equal false positive rates" : ""
    } (${scoredText(runs.map(({ roc }) => roc))}).`,
    spec: rocSpec({ thin: several ? thin : [], bold, names: groups, all: groupsOf(data) }, drawing),
    table: tableOf(
      ["network", "runs", "area", ...READ_AT.map((rate) => `true positive rate at ${rate}`)],
      means.map(({ group, curve }) => [
        group,
        String(of(group).length),
        spreadText(
          of(group).map(({ area }) => area),
          4,
        ),
        ...READ_AT.map((rate) => figure(rateAt(curve, rate), 4)),
      ]),
    ),
  };
}

const curvePoints = ({ falsePositiveRate, truePositiveRate }: RunRoc): Rates[] =>
  falsePositiveRate.map((x, i) => ({ x, y: truePositiveRate[i] ?? 0 }));

/** The mean of the true positive rates at equal false positive rates, from (0, 0) on. */
export function meanCurve(curves: readonly RunRoc[]): Rates[] {
  const all = curves.map(curvePoints);
  const mean = RATES.map((x) => ({ x, y: all.reduce((sum, curve) => sum + rateAt(curve, x), 0) / all.length }));
  return [{ x: 0, y: 0 }, ...mean];
}

/** The true positive rate at a false positive rate; where the curve rises upright, the upper end. */
function rateAt(curve: readonly Rates[], x: number): number {
  const after = curve.findIndex((point) => point.x > x);
  const right = curve[after];
  const left = curve[after === -1 ? curve.length - 1 : after - 1];
  if (left === undefined) return 0;
  if (right === undefined || right.x === left.x) return left.y;
  return left.y + ((right.y - left.y) * (x - left.x)) / (right.x - left.x);
}

interface Curves {
  readonly thin: readonly object[];
  readonly bold: readonly object[];
  readonly names: readonly string[];
  readonly all: readonly string[];
}

/** A square is at most so wide. */
const MOST_SIDE = 480;

function rocSpec({ thin, bold, names, all }: Curves, drawing: Drawing): Chart["spec"] {
  const { color, dash } = looks(all);
  const key = names.length < 2 ? null : { values: [...names], ...legend(names, drawing) };
  const rate = (field: string, title: string) => ({
    field,
    type: "quantitative" as const,
    scale: { domain: [0, 1] },
    axis: { title, tickCount: 5, format: "~g" },
  });
  const [x, y] = [rate("x", "false positive rate"), rate("y", "true positive rate")];
  const side = Math.min(drawing.width, MOST_SIDE);
  const group = { field: "group", type: "nominal" as const };
  return {
    ...framed({ ...drawing, width: side }, side * 0.9),
    layer: [
      {
        data: {
          values: [
            { x: 0, y: 0 },
            { x: 1, y: 1 },
          ],
        },
        mark: { type: "line", color: drawing.ink, opacity: 0.35, strokeDash: [3, 3], strokeWidth: 1 },
        encoding: { x, y },
      },
      {
        data: { values: [...thin] },
        mark: { type: "line", strokeWidth: 0.8, opacity: 0.55 },
        encoding: {
          x,
          y,
          color: { ...group, scale: color, legend: key },
          detail: { field: "run" },
          order: { field: "y" },
        },
      },
      {
        data: { values: [...bold] },
        mark: { type: "line", strokeWidth: 2, opacity: 1 },
        encoding: {
          ...{ x, y, order: { field: "y" } },
          color: { ...group, scale: color, legend: key },
          strokeDash: { ...group, scale: dash, legend: key },
        },
      },
    ],
  };
}
