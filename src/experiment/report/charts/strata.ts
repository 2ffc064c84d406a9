import { meanDeviation } from "../../../metrics/mean-deviation.ts";
import type { ReportData } from "../data.ts";
import {
  type Absent,
  type Chart,
  type Drawing,
  framed,
  idOf,
  legend,
  looks,
  spreadText,
  stratumText,
  tableOf,
} from "./chart.ts";
import { evaluatedRuns, groupsOf, scoredText } from "./groups.ts";

/** mDice by size of the objects, a line for each network with a band over its runs: the paper's Figure 6. */
export function strataChart(data: ReportData, set: string, drawing: Drawing): Chart | Absent {
  const runs = evaluatedRuns(data, set);
  const evaluations = [...runs.values()].flat().map(({ evaluation }) => evaluation);
  const strata = Object.keys(evaluations[0]?.strata ?? {});
  const points = [...runs].flatMap(([group, own]) =>
    strata.flatMap((stratum) => {
      const values = own.flatMap(({ evaluation }) => evaluation.strata[stratum]?.mDice ?? []);
      const { mean, sd } = meanDeviation(values);
      if (mean === null) return [];
      return [{ group, stratum: stratumText(stratum), mean, low: mean - (sd ?? 0), high: mean + (sd ?? 0) }];
    }),
  );
  if (points.length === 0) return { absent: "Nothing is scored yet: svanet eval RUN scores a run by object size." };
  const names = groupsOf(data).filter((group) => runs.has(group));
  const repeats = Math.max(...[...runs.values()].map((own) => own.length));
  const band = repeats > 1 ? `, with bands of one standard deviation over up to ${repeats} runs` : "";
  return {
    id: `mdice-by-size-${idOf(set)}`,
    title: "mDice by object size",
    caption: `Mean mDice of images whose largest object takes less than so much of the image${band} (${scoredText(evaluations)}).`,
    spec: strataSpec({ points, names, all: groupsOf(data), order: strata.map(stratumText) }, drawing),
    table: tableOf(
      ["network", "runs", ...strata.map((name) => `mDice ${stratumText(name)} (%)`)],
      [...runs].map(([group, own]) => [
        group,
        String(own.length),
        ...strata.map((name) => spreadText(own.flatMap(({ evaluation }) => evaluation.strata[name]?.mDice ?? []))),
      ]),
    ),
  };
}

interface Strata {
  readonly points: readonly object[];
  readonly names: readonly string[];
  readonly all: readonly string[];
  readonly order: readonly string[];
}

function strataSpec({ points, names, all, order }: Strata, drawing: Drawing): Chart["spec"] {
  const { color, dash, shape } = looks(all);
  const shown = { values: [...names], ...legend(names, drawing) };
  const key = names.length < 2 ? null : shown;
  const x = {
    field: "stratum",
    type: "nominal" as const,
    sort: [...order],
    axis: { title: "largest object, share of the image", labelAngle: 0, grid: false },
  };
  const y = { type: "quantitative" as const, scale: { zero: false, nice: true } };
  return {
    ...framed(drawing, 280),
    data: { values: [...points] },
    layer: [
      {
        mark: { type: "area", opacity: 0.15 },
        encoding: {
          x,
          y: { ...y, field: "low", axis: { title: "mDice (%)", tickCount: 5 } },
          y2: { field: "high" },
          color: { field: "group", type: "nominal", scale: color, legend: key },
        },
      },
      {
        mark: { type: "line", strokeWidth: 1.8 },
        encoding: {
          x,
          y: { ...y, field: "mean" },
          color: { field: "group", type: "nominal", scale: color, legend: key },
          strokeDash: { field: "group", type: "nominal", scale: dash, legend: key },
        },
      },
      {
        mark: { type: "point", filled: true, size: 50, opacity: 1 },
        encoding: {
          x,
          y: { ...y, field: "mean" },
          color: { field: "group", type: "nominal", scale: color, legend: key },
          shape: { field: "group", type: "nominal", scale: shape, legend: key },
        },
      },
    ],
  };
}
