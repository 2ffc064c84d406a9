import type { TopLevelSpec } from "vega-lite";
import { meanDeviation } from "../../../metrics/mean-deviation.ts";
import type { ReportCell, ReportTable } from "../data.ts";

/** A chart: one specification for the page and for the files beside it. */
export interface Chart {
  /** Of its file and its element: letters, digits and dashes. */
  readonly id: string;
  /** What it shows: the name that is read out. */
  readonly title: string;
  /** What is drawn, over what, in which units. */
  readonly caption: string;
  readonly spec: TopLevelSpec;
  /** The same in numbers, for who does not see it. */
  readonly table: ReportTable;
}

/** Instead of a chart: a sentence on what makes it. */
export interface Absent {
  readonly absent: string;
}

/** Where a chart is drawn. */
export interface Drawing {
  /** Pixels that it may be wide. */
  readonly width: number;
  /** The colour of letters and lines. */
  readonly ink: string;
}

/** Okabe and Ito's palette (2008) without black and yellow, which vanish on dark or on white: apart for every kind of eye. */
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"] as const;
/** Dashes that tell further series of the same colours apart. */
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
] as const;
/** Points do it as well. */
const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"] as const;

/** Scales by which every series (by its name) has one look in all charts of a report. */
export function looks(names: readonly string[]) {
  const domain = [...names];
  const pick = <T>(from: readonly T[], i: number) => from[i % from.length] as T;
  return {
    color: { domain, range: domain.map((_, i) => pick(COLOURS, i)) },
    dash: { domain, range: domain.map((_, i) => [...pick(DASHES, Math.floor(i / COLOURS.length))]) },
    shape: { domain, range: domain.map((_, i) => pick(SHAPES, i)) },
  };
}

/** Pixels that a letter of a legend takes, about. */
const LETTER = 6;

/** A legend below a chart, in as many columns as fit. */
export function legend(names: readonly string[], { width, ink }: Drawing) {
  if (names.length < 2) return null;
  const longest = Math.max(...names.map((name) => name.length));
  const columns = Math.max(1, Math.floor(width / (longest * LETTER + 60)));
  return {
    title: null,
    orient: "bottom" as const,
    columns,
    labelColor: ink,
    labelLimit: width - 80,
    symbolStrokeWidth: 2,
    symbolOpacity: 1,
  };
}

/** What all charts have in common: type, thin axes, no frame. */
export function framed({ width, ink }: Drawing, height: number) {
  const faint = {
    gridColor: ink,
    gridOpacity: 0.12,
    domainColor: ink,
    domainOpacity: 0.5,
    tickColor: ink,
    tickOpacity: 0.5,
  };
  return {
    width,
    height,
    background: "transparent",
    autosize: { type: "fit" as const, contains: "padding" as const },
    padding: 4,
    config: {
      aria: false,
      font: "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif",
      view: { stroke: null },
      axis: {
        labelColor: ink,
        titleColor: ink,
        titleFontWeight: 500 as const,
        labelFontSize: 11,
        titleFontSize: 12,
        ...faint,
      },
      legend: { labelFontSize: 12, titleColor: ink },
      header: { labelColor: ink, titleColor: ink },
    },
  };
}

/** A figure with so many digits behind the point; a dash where there is none. */
export const figure = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);

/** `72.58 ± 0.31`; without a deviation the mean, of nothing a dash. */
export function spreadText(values: readonly number[], digits = 2): string {
  if (values.length === 0) return "–";
  const { mean, sd } = meanDeviation(values);
  return sd === null ? figure(mean, digits) : `${figure(mean, digits)} ± ${figure(sd, digits)}`;
}

/** A table of a chart: the first column are names, the others figures. */
export function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): ReportTable {
  return {
    title: "",
    caption: "",
    columns: titles.map((title, i) => ({ title, align: i === 0 ? "left" : "right" })),
    rows: rows.map((row) => row.map((text): ReportCell => ({ text }))),
    notes: [],
  };
}

/** A stratum in words: `< 1 %`, `all`. */
export const stratumText = (name: string): string => (name === "all" ? "all" : `< ${name} %`);

/** Names as part of an id or a file's name. */
export const idOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "") || "x";
