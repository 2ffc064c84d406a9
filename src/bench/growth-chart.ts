import { visibleInLine } from "../visible.ts";
import { AXES, type Axis, type Growth, type MeasuredRow } from "./growth.ts";

/** Growth as an SVG: a column for each of size, batch and width, images a second above and peak memory below. */

const PANEL = { width: 250, height: 180, gap: 62, left: 58, top: 66 } as const;
const INK = "#1f2933";
const FAINT = "#7b8794";
const RULE = "#d9dee3";
const MARK = "#c2410c";
const LINE = "#3f6f9f";
const FACE = "font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\"";

const AXIS_NAMES: Readonly<Record<Axis, string>> = {
  size: "side of the image, pixels",
  batch: "images a run",
  width: "channels where narrowest",
};

const at = (value: number) => String(Math.round(value * 100) / 100);
const escaped = (text: string) =>
  visibleInLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const text = (x: number, y: number, content: string, style: string) =>
  `<text x="${at(x)}" y="${at(y)}" ${style}>${escaped(content)}</text>`;

/** A logarithmic axis over numbers, a fifth wider than they reach. */
function logarithmic(values: readonly number[], from: number, to: number) {
  const low = Math.log(Math.min(...values) / 1.2);
  const high = Math.log(Math.max(...values) * 1.2);
  return (value: number) => from + ((Math.log(value) - low) / (high - low)) * (to - from);
}

interface Series {
  readonly title: string;
  readonly measured: readonly number[];
  /** What is proportional to the multiply-accumulates above the floor; null where nothing is expected. */
  readonly expected: readonly number[] | null;
  readonly label: (value: number) => string;
}

function panel(left: number, top: number, xs: readonly number[], name: string, series: Series): string[] {
  const { width, height } = PANEL;
  const x = logarithmic(xs, left, left + width);
  const y = logarithmic([...series.measured, ...(series.expected ?? [])], top + height, top);
  const points = (values: readonly number[]) =>
    values.map((value, i) => `${at(x(xs[i] ?? 1))},${at(y(value))}`).join(" ");
  const small = `font-size="10.5" fill="${FAINT}"`;
  return [
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="${RULE}"/>`,
    text(left, top - 8, series.title, `font-size="11" fill="${INK}"`),
    text(left + width / 2, top + height + 30, name, `text-anchor="middle" ${small}`),
    ...xs.map((value) => text(x(value), top + height + 15, String(value), `text-anchor="middle" ${small}`)),
    ...(series.expected
      ? [`<polyline points="${points(series.expected)}" fill="none" stroke="${LINE}" stroke-dasharray="4 3"/>`]
      : []),
    `<polyline points="${points(series.measured)}" fill="none" stroke="${MARK}" stroke-width="1.5"/>`,
    ...series.measured.flatMap((value, i) => [
      `<circle cx="${at(x(xs[i] ?? 1))}" cy="${at(y(value))}" r="2.5" fill="${MARK}"/>`,
      text(x(xs[i] ?? 1), y(value) - 6, series.label(value), `text-anchor="middle" font-size="9.5" fill="${INK}"`),
    ]),
  ];
}

function column(growth: Growth, axis: Axis, left: number): string[] {
  const rows = growth.rows
    .filter((row): row is MeasuredRow => row.refusal === null && row.axes.includes(axis) && row[axis] !== null)
    .sort((a, b) => (a[axis] ?? 0) - (b[axis] ?? 0));
  if (rows.length === 0) return [];
  const xs = rows.map((row) => row[axis] ?? 1);
  const { top, height, gap } = PANEL;
  return [
    ...panel(left, top, xs, AXIS_NAMES[axis], {
      title: "images a second (dashed: proportional to MACs)",
      measured: rows.map(({ medianMs, batch }) => (1000 * batch) / medianMs),
      expected: rows.map(({ expectedMs, batch }) => (1000 * batch) / expectedMs),
      label: (value) => value.toPrecision(3),
    }),
    ...panel(left, top + height + gap, xs, AXIS_NAMES[axis], {
      title: "peak memory",
      measured: rows.map(({ peakBytes }) => peakBytes / 2 ** 20),
      expected: null,
      label: (value) => (value < 1024 ? `${value.toPrecision(3)} MiB` : `${(value / 1024).toPrecision(3)} GiB`),
    }),
  ];
}

/** `caption` says on which machine and when it was measured. */
export function growthChart(growth: Growth, caption: string): string {
  const width = PANEL.left + AXES.length * (PANEL.width + PANEL.gap);
  const height = PANEL.top + 2 * (PANEL.height + PANEL.gap) + 10;
  const body = [
    text(PANEL.left, 24, `${growth.preset}: inference as it grows`, `font-size="15" font-weight="600" fill="${INK}"`),
    text(PANEL.left, 41, caption, `font-size="10.5" fill="${FAINT}"`),
    ...AXES.flatMap((axis, k) => column(growth, axis, PANEL.left + k * (PANEL.width + PANEL.gap))),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${FACE}>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}
