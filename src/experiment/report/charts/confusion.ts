import type { ReportData } from "../data.ts";
import { type Absent, type Chart, type Drawing, figure, framed, idOf, tableOf } from "./chart.ts";
import { evaluatedRuns, scoredText } from "./groups.ts";

/** The pixels of each class by what was predicted of them, over all runs of a network. */
export function confusionChart(data: ReportData, set: string, group: string, drawing: Drawing): Chart | Absent {
  const runs = evaluatedRuns(data, set).get(group) ?? [];
  if (runs.length === 0) return { absent: `${group} is not scored on ${set} yet: svanet eval RUN counts its pixels.` };
  const counted = runs.flatMap(({ evaluation }) => evaluation.confusion ?? []);
  const [first] = runs;
  if (first === undefined || counted.length === 0) {
    return {
      absent: `The scores of ${group} are of a program that kept no pairs of classes: svanet eval RUN counts them anew.`,
    };
  }
  const { classes } = first.evaluation;
  const pixels = classes.map((_, label) =>
    classes.map((_, guess) =>
      sumAt(
        runs.map(({ evaluation }) => evaluation.confusion),
        label,
        guess,
      ),
    ),
  );
  const cells = pixels.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, guess) => ({
      label: classes[label],
      guess: classes[guess],
      count,
      share: total === 0 ? null : count / total,
    }));
  });
  const over = runs.length > 1 ? `, ${runs.length} runs together` : "";
  return {
    id: `confusion-${idOf(set)}-${idOf(group)}`,
    title: `Confusion matrix: ${group}`,
    caption: `Of the pixels of each labelled class (row) the percentage that was predicted as each class (column)${over} (${scoredText(runs.map(({ evaluation }) => evaluation))}).`,
    spec: confusionSpec(cells, classes, drawing),
    table: tableOf(
      ["labelled", ...classes.map((name) => `predicted ${name} (pixels)`)],
      pixels.map((row, label) => [classes[label] ?? "", ...row.map((count) => String(count))]),
    ),
  };
}

const sumAt = (matrices: readonly (readonly (readonly number[])[] | null)[], label: number, guess: number): number =>
  matrices.reduce((sum, matrix) => sum + (matrix?.[label]?.[guess] ?? 0), 0);

/** Side of a cell: it holds `100.00`. */
const CELL = 64;
/** From this share on, letters stand light on the cell. */
const DARK_FROM = 0.55;

function confusionSpec(
  cells: readonly { share: number | null }[],
  classes: readonly string[],
  drawing: Drawing,
): Chart["spec"] {
  const axis = { labelLimit: 120, labelAngle: 0, domain: false, ticks: false, grid: false };
  const side = Math.min(drawing.width, CELL * classes.length + 180);
  const values = cells.map((cell) => ({ ...cell, text: cell.share === null ? "–" : figure(100 * cell.share) }));
  return {
    ...framed({ ...drawing, width: side }, Math.min(CELL, side / (classes.length + 1)) * classes.length + 60),
    data: { values },
    encoding: {
      x: { field: "guess", type: "nominal", sort: [...classes], axis: { ...axis, title: "predicted", orient: "top" } },
      y: { field: "label", type: "nominal", sort: [...classes], axis: { ...axis, title: "labelled" } },
    },
    layer: [
      {
        mark: { type: "rect", color: "#0072B2", stroke: drawing.ink, strokeOpacity: 0.25 },
        encoding: {
          fillOpacity: { field: "share", type: "quantitative", scale: { domain: [0, 1], range: [0, 1] }, legend: null },
        },
      },
      {
        mark: { type: "text", fontSize: 12 },
        encoding: {
          text: { field: "text" },
          color: { condition: { test: `datum.share > ${DARK_FROM}`, value: "#fff" }, value: drawing.ink },
        },
      },
    ],
  };
}
