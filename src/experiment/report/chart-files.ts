import { join } from "node:path";
import { parse, View } from "vega";
import { compile } from "vega-lite";
import { rasterised } from "../../data/codec/svg.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { allCharts } from "./charts/all.ts";
import type { Chart } from "./charts/chart.ts";
import type { ReportData } from "./data.ts";

/** As wide as two columns of a journal, about 17 cm at 96 pixels an inch. */
const WIDTH = 640;
/** Pixels of the PNG for each of the SVG's: 300 an inch. */
const SCALE = 300 / 96;

/** Writes every chart as `NAME.svg` and `NAME.png`, black on white, into a folder, which is made. Returns the names. */
export async function writeCharts(folder: string, data: ReportData): Promise<string[]> {
  const charts = allCharts(data, { width: WIDTH, ink: "#000" });
  if (charts.length > 0) makeFolder(folder);
  for (const chart of charts) {
    const svg = await chartSvg(chart);
    writeFileAtomic(join(folder, `${chart.id}.svg`), svg);
    writeFileAtomic(join(folder, `${chart.id}.png`), await rasterised(svg, SCALE));
  }
  return charts.map(({ id }) => id);
}

/** A chart as SVG by the specification that the page draws. */
async function chartSvg({ spec, title }: Chart): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" }).description(title);
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
