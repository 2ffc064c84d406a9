import { figure } from "../../../experiment/report/charts/chart.ts";
import { type EvaluatedRun, evaluatedRuns, imageScores } from "../../../experiment/report/charts/groups.ts";
import { sizeChart } from "../../../experiment/report/charts/size.ts";
import type { ReportData, ReportImage } from "../../../experiment/report/data.ts";
import { element } from "../../dom.ts";
import { plotView } from "../plot.ts";
import { notScored, type Section, type Shown } from "../section.ts";
import { type PageTable, tableView } from "../table-view.ts";

/** Each image as a point; its picture appears beside the pointer. */
export function sizeSection({ data }: Shown, set: string, group: string): HTMLElement[] {
  const hover = ({ image, dice }: Readonly<Record<string, unknown>>) => {
    const of = typeof image === "number" ? data.images[image] : undefined;
    return of === undefined ? undefined : beside(of, Number(dice));
  };
  return [plotView((drawing) => sizeChart(data, set, group, drawing), hover)];
}

function beside({ name, share, thumbnail }: ReportImage, dice: number): HTMLElement {
  const picture = thumbnail === null ? [] : [element("img", { attributes: { src: thumbnail, alt: "" } })];
  const text = `largest object ${figure(share, 3)} %, Dice ${figure(dice)} %`;
  return element("div", {}, ...picture, element("b", {}, name), element("span", {}, text));
}

/** Most networks that have a column each. */
const MOST_COLUMNS = 8;

/** All images with their Dice, worst first. */
export const imagesSection: Section = {
  id: "images",
  title: "Images, worst first",
  key: ({ data, set }) => [
    set,
    data.runs.map(({ group, evaluation }) => [group, evaluation?.images, evaluation?.dice]),
    data.images.map(({ thumbnail }) => thumbnail?.length ?? 0),
  ],
  build: ({ data, set }) => {
    if (set === undefined) return [notScored()];
    const runs = evaluatedRuns(data, set);
    return runs.size === 0 ? [notScored()] : [tableView("images-table", imagesTable(data, runs))];
  },
};

function imagesTable(data: ReportData, runs: ReadonlyMap<string, EvaluatedRun[]>): PageTable {
  const mean = imageScores([...runs.values()].flat());
  const groups = [...runs].map(([group, own]) => ({
    group,
    dice: new Map(imageScores(own).map(({ image, dice }) => [image, dice])),
  }));
  const shown = groups.length > 1 && groups.length <= MOST_COLUMNS ? groups : [];
  const columns = ["image", "largest object (%)", "Dice (%)", ...shown.map(({ group }) => `${group} (%)`)];
  const over = groups.length > 1 ? `mean over ${groups.length} networks and their runs` : "mean over the runs";
  return {
    title: "Images",
    caption: `Foreground Dice of each image, ${over}, worst first. An image without objects has 100 where nothing was found, else 0.`,
    columns: columns.map((title, i) => ({ title, align: i === 0 ? "left" : "right" })),
    rows: mean.map(({ image, dice }) => {
      const { name = "", share = 0, thumbnail = null } = data.images[image] ?? {};
      const texts = [figure(share, 3), figure(dice), ...shown.map((one) => figure(one.dice.get(image)))];
      return [{ text: name, picture: thumbnail }, ...texts.map((text) => ({ text }))];
    }),
    notes: [],
  };
}
