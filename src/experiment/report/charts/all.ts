import type { ReportData } from "../data.ts";
import type { Absent, Chart, Drawing } from "./chart.ts";
import { confusionChart } from "./confusion.ts";
import { evaluatedRuns, setsOf } from "./groups.ts";
import { learningCurves } from "./learning.ts";
import { rocChart } from "./roc.ts";
import { sizeChart } from "./size.ts";
import { strataChart } from "./strata.ts";

/** Whether there is something to draw. */
export const isChart = (one: Chart | Absent): one is Chart => "spec" in one;

/** Every chart of a report that there is something to draw of, for files: those of one network for each network. */
export function allCharts(data: ReportData, drawing: Drawing): Chart[] {
  const ofSets = setsOf(data).flatMap((set) => [
    strataChart(data, set, drawing),
    rocChart(data, set, drawing),
    ...[...evaluatedRuns(data, set).keys()].flatMap((group) => [
      sizeChart(data, set, group, drawing),
      confusionChart(data, set, group, drawing),
    ]),
  ]);
  const curves = learningCurves(data).map((draw) => draw(drawing));
  return [...curves, ...ofSets].filter(isChart);
}
