import { meanDeviation } from "../../../metrics/mean-deviation.ts";
import type { ReportCell, ReportTable, StratumMetric } from "../data.ts";
import { spreadText, stratumText } from "./chart.ts";
import { type EvaluatedRun, scoredText } from "./groups.ts";

/** The metrics of the table behind mDice of every stratum, all of them over all images. */
const OF_ALL: Readonly<Partial<Record<StratumMetric, string>>> = {
  mIoU: "mIoU",
  sensitivity: "sensitivity",
  f2: "F2",
  foregroundDice: "foreground Dice",
};

/** The scores of each network, mean and deviation over its runs, the best in bold. */
export function scoresTable(runs: ReadonlyMap<string, readonly EvaluatedRun[]>): ReportTable {
  const all = [...runs.values()].flat().map(({ evaluation }) => evaluation);
  const strata = Object.keys(all[0]?.strata ?? {});
  const columns = [
    ...strata.map((stratum) => ({ title: `mDice ${stratumText(stratum)}`, stratum, metric: "mDice" as const })),
    ...Object.entries(OF_ALL).map(([metric, title]) => ({ title, stratum: "all", metric: metric as StratumMetric })),
  ].map((column) => ({ ...column, values: [...runs.values()].map((own) => valuesOf(own, column)) }));
  const best = columns.map(({ values }) => {
    const means = values.map((of) => meanDeviation(of).mean ?? Number.NEGATIVE_INFINITY);
    return means.length < 2 ? [] : means.map((mean) => mean === Math.max(...means) && Number.isFinite(mean));
  });
  const images = (own: readonly EvaluatedRun[]) => [...new Set(own.map(({ evaluation }) => evaluation.images.length))];
  return {
    title: "Scores",
    caption: `Percent; mean and standard deviation over the runs of each network, the best in bold (${scoredText(all)}).`,
    columns: [
      { title: "network", align: "left" },
      { title: "runs", align: "right" },
      { title: "images", align: "right" },
      ...columns.map(({ title }) => ({ title, align: "right" as const })),
    ],
    rows: [...runs].map(([group, own], row): ReportCell[] => [
      { text: group },
      { text: String(own.length) },
      { text: images(own).join(", ") },
      ...columns.map(({ values }, i) => ({ text: spreadText(values[row] ?? []), bold: best[i]?.[row] === true })),
    ]),
    notes: [
      "mDice, mIoU, sensitivity, F2: pixels pooled for each class, classes weighted by the images they occur in, background included. Foreground Dice: mean over the foreground classes, pooled.",
    ],
  };
}

const valuesOf = (
  runs: readonly EvaluatedRun[],
  { stratum, metric }: { readonly stratum: string; readonly metric: StratumMetric },
): number[] => runs.flatMap(({ evaluation }) => evaluation.strata[stratum]?.[metric] ?? []);
