import type { ReportData } from "../data.ts";
import { type Absent, type Chart, type Drawing, figure, framed, idOf, looks, tableOf } from "./chart.ts";
import { evaluatedRuns, groupsOf, imageScores, scoredText } from "./groups.ts";

/** Each image's Dice against the size of its largest object, for one network. */
export function sizeChart(data: ReportData, set: string, group: string, drawing: Drawing): Chart | Absent {
  const runs = evaluatedRuns(data, set).get(group) ?? [];
  const scores = imageScores(runs);
  if (scores.length === 0) return { absent: `No image of ${group} is scored yet: svanet eval RUN scores each.` };
  const points = scores.flatMap(({ image, dice }) => {
    const { name = "", share = 0 } = data.images[image] ?? {};
    return share > 0 ? [{ image, name, share, dice }] : [];
  });
  const empty = scores.length - points.length;
  const over = runs.length > 1 ? `, mean over ${runs.length} runs` : "";
  const without = empty === 0 ? "" : ` ${empty} images without objects are not drawn.`;
  const colour = looks(groupsOf(data)).color.range[groupsOf(data).indexOf(group)] ?? drawing.ink;
  return {
    id: `dice-by-size-${idOf(set)}-${idOf(group)}`,
    title: `Dice of each image by object size: ${group}`,
    caption: `Foreground Dice of ${points.length} images against the share of the image that the largest object takes, logarithmic${over} (${scoredText(runs.map(({ evaluation }) => evaluation))}).${without}`,
    spec: {
      ...framed(drawing, 300),
      data: { values: points },
      mark: { type: "point", filled: true, size: 28, opacity: points.length > 300 ? 0.45 : 0.75, color: colour },
      encoding: {
        x: {
          field: "share",
          type: "quantitative",
          scale: { type: "log", nice: false, padding: 8 },
          axis: { title: "largest object (% of the image)", tickCount: 6, format: "~g", grid: false },
        },
        y: {
          field: "dice",
          type: "quantitative",
          scale: { domain: [0, 100] },
          axis: { title: "foreground Dice (%)", tickCount: 5 },
        },
        tooltip: { field: "image", type: "quantitative" },
      },
    },
    table: tableOf(
      ["image", "largest object (%)", "Dice (%)"],
      points.map(({ name, share, dice }) => [name, figure(share, 3), figure(dice)]),
    ),
  };
}
