import { visibleInLine } from "../../visible.ts";
import type { DatasetStats } from "./data-stats.ts";

const PANEL = { width: 720, height: 250, left: 64, right: 24, top: 58, bottom: 50 } as const;
const BINS_PER_DECADE = 8;
const HIGHEST = 2;

/** Strata by their upper limits in log10 of the percentage; distinct for most eyes, and by lightness when printed grey. */
const STRATA = [
  { name: "ultra-small, < 1 %", below: 0, fill: "#c2410c" },
  { name: "small, 1 to 10 %", below: 1, fill: "#e8a33d" },
  { name: "large, from 10 %", below: HIGHEST, fill: "#3f6f9f" },
] as const;

const INK = "#1f2933";
const FAINT = "#7b8794";
const RULE = "#d9dee3";
const FACE = "font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\"";

/** Content of an SVG element; control characters, which XML forbids, as escapes. */
const escaped = (text: string) =>
  visibleInLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const at = (value: number) => String(Math.round(value * 100) / 100);

function text(x: number, y: number, content: string, style: string): string {
  return `<text x="${at(x)}" y="${at(y)}" ${style}>${escaped(content)}</text>`;
}

/** Bin number of a share from 10^lowest on; 100 % belongs to the last. */
function binOf(share: number, lowest: number): number {
  return Math.min(
    (HIGHEST - lowest) * BINS_PER_DECADE - 1,
    Math.floor((Math.log10(share) - lowest) * BINS_PER_DECADE + 1e-9),
  );
}

/** Round steps of a count axis: at most five above zero. */
function steps(most: number): number[] {
  const rough = Math.max(1, most / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

const percentName = (power: number) => `${power >= 0 ? 10 ** power : (10 ** power).toFixed(-power)} %`;

function drawBars(
  counts: readonly number[],
  lowest: number,
  x: (power: number) => number,
  y: (count: number) => number,
) {
  return counts.flatMap((count, bin) => {
    if (count === 0) return [];
    const from = lowest + bin / BINS_PER_DECADE;
    const stratum = STRATA.find(({ below }) => from < below - 1e-9) ?? STRATA[2];
    const [left, right] = [x(from) + 0.75, x(from + 1 / BINS_PER_DECADE) - 0.75];
    const height = y(0) - y(count);
    return [
      `<rect x="${at(left)}" y="${at(y(count))}" width="${at(right - left)}" height="${at(height)}" fill="${stratum.fill}">` +
        `<title>${count}</title></rect>`,
    ];
  });
}

function drawPanel(stats: DatasetStats, top: number, lowest: number): string[] {
  const { left, right, width } = PANEL;
  const [upper, lower] = [top + PANEL.top, top + PANEL.height - PANEL.bottom];
  const seen = stats.shares.filter((share) => share > 0);
  const counts = new Array<number>((HIGHEST - lowest) * BINS_PER_DECADE).fill(0);
  for (const share of seen) {
    const bin = binOf(share, lowest);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const ticks = steps(Math.max(1, ...counts));
  const most = Math.max(...counts, ...ticks, 1);
  const x = (power: number) => left + ((power - lowest) / (HIGHEST - lowest)) * (width - left - right);
  const y = (count: number) => lower - (count / most) * (lower - upper);
  const { ultraSmall, small, all } = stats.objects;
  const unseen = stats.withoutArea > 0 ? `, ${stats.withoutArea} without area not shown` : "";
  const what = stats.count === "class" ? "one object an image and class" : "every component an object";
  return [
    text(left, top + 22, stats.name, `font-size="15" font-weight="600" fill="${INK}"`),
    text(
      left,
      top + 40,
      `${stats.images} images, ${all} objects: ${ultraSmall} ultra-small, ${small} below 10 %${unseen} (${what}, ${stats.area} area)`,
      `font-size="11" fill="${FAINT}"`,
    ),
    ...ticks.map((tick) => `<path d="M${left} ${at(y(tick))}H${width - right}" stroke="${RULE}"/>`),
    ...ticks.map((tick) =>
      text(left - 8, y(tick) + 3.5, String(tick), `text-anchor="end" font-size="10.5" fill="${FAINT}"`),
    ),
    ...drawBars(counts, lowest, x, y),
    ...[0, 1].map(
      (power) =>
        `<path d="M${at(x(power))} ${upper - 6}V${lower}" stroke="${INK}" stroke-dasharray="2 3" stroke-width="0.9"/>`,
    ),
    `<path d="M${left} ${lower}H${width - right}" stroke="${INK}"/>`,
    ...Array.from({ length: HIGHEST - lowest + 1 }, (_, k) => lowest + k).flatMap((power) => [
      `<path d="M${at(x(power))} ${lower}v4" stroke="${INK}"/>`,
      text(x(power), lower + 17, percentName(power), `text-anchor="middle" font-size="10.5" fill="${INK}"`),
    ]),
  ];
}

/**
 * Object sizes of datasets as an SVG, one panel a dataset: shares of the image, all on one logarithmic axis, coloured
 * by stratum.
 */
export function sizeHistogram(sets: readonly DatasetStats[]): string {
  const smallest = Math.min(0.1, ...sets.flatMap(({ areaPercent }) => areaPercent?.[0] ?? []));
  const lowest = Math.floor(Math.log10(smallest) + 1e-9);
  const height = sets.length * PANEL.height + 34;
  const bottom = sets.length * PANEL.height;
  const legend = STRATA.flatMap(({ name, fill }, k) => {
    const x = PANEL.left + 250 + k * 136;
    return [
      `<rect x="${x}" y="${bottom + 2}" width="10" height="10" fill="${fill}"/>`,
      text(x + 15, bottom + 11, name, `font-size="11" fill="${INK}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${PANEL.width} ${height}" width="${PANEL.width}" height="${height}" ${FACE}>`,
    `<rect width="${PANEL.width}" height="${height}" fill="#ffffff"/>`,
    ...sets.flatMap((stats, k) => drawPanel(stats, k * PANEL.height, lowest)),
    text(PANEL.left, bottom + 11, "object's share of its image (log scale)", `font-size="11" fill="${INK}"`),
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}
