/** Object sizes of datasets as a drawing: shares of the image on a logarithmic axis, coloured by stratum. */
import type { DatasetStats } from "./data-stats.ts";

const panel = { width: 720, height: 250, left: 64, right: 24, top: 58, bottom: 50 } as const;
const binsPerDecade = 8;
const highest = 2;

/** Strata by their upper limits in log10 of the percentage; distinct for most eyes, and by lightness when printed grey. */
const strata = [
  { name: "ultra-small, < 1 %", below: 0, fill: "#c2410c" },
  { name: "small, 1 to 10 %", below: 1, fill: "#e8a33d" },
  { name: "large, from 10 %", below: highest, fill: "#3f6f9f" },
] as const;

const ink = "#1f2933";
const faint = "#7b8794";
const rule = "#d9dee3";
const face = "font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\"";

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const at = (value: number) => String(Math.round(value * 100) / 100);

function text(x: number, y: number, content: string, style: string): string {
  return `<text x="${at(x)}" y="${at(y)}" ${style}>${escaped(content)}</text>`;
}

/** Bin number of a share from 10^lowest on; 100 % belongs to the last. */
function binOf(share: number, lowest: number): number {
  return Math.min(
    (highest - lowest) * binsPerDecade - 1,
    Math.floor((Math.log10(share) - lowest) * binsPerDecade + 1e-9),
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
    const from = lowest + bin / binsPerDecade;
    const stratum = strata.find(({ below }) => from < below - 1e-9) ?? strata[2];
    const [left, right] = [x(from) + 0.75, x(from + 1 / binsPerDecade) - 0.75];
    const height = y(0) - y(count);
    return [
      `<rect x="${at(left)}" y="${at(y(count))}" width="${at(right - left)}" height="${at(height)}" fill="${stratum.fill}">` +
        `<title>${count}</title></rect>`,
    ];
  });
}

function drawPanel(stats: DatasetStats, top: number, lowest: number): string[] {
  const { left, right, width } = panel;
  const [upper, lower] = [top + panel.top, top + panel.height - panel.bottom];
  const seen = stats.shares.filter((share) => share > 0);
  const counts = new Array<number>((highest - lowest) * binsPerDecade).fill(0);
  for (const share of seen) {
    const bin = binOf(share, lowest);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const ticks = steps(Math.max(1, ...counts));
  const most = Math.max(...counts, ...ticks, 1);
  const x = (power: number) => left + ((power - lowest) / (highest - lowest)) * (width - left - right);
  const y = (count: number) => lower - (count / most) * (lower - upper);
  const { ultraSmall, small, all } = stats.objects;
  const unseen = stats.withoutArea > 0 ? `, ${stats.withoutArea} without area not shown` : "";
  const what = stats.count === "class" ? "one object an image and class" : "every component an object";
  return [
    text(left, top + 22, stats.name, `font-size="15" font-weight="600" fill="${ink}"`),
    text(
      left,
      top + 40,
      `${stats.images} images, ${all} objects: ${ultraSmall} ultra-small, ${small} below 10 %${unseen} (${what}, ${stats.area} area)`,
      `font-size="11" fill="${faint}"`,
    ),
    ...ticks.map((tick) => `<path d="M${left} ${at(y(tick))}H${width - right}" stroke="${rule}"/>`),
    ...ticks.map((tick) =>
      text(left - 8, y(tick) + 3.5, String(tick), `text-anchor="end" font-size="10.5" fill="${faint}"`),
    ),
    ...drawBars(counts, lowest, x, y),
    ...[0, 1].map(
      (power) =>
        `<path d="M${at(x(power))} ${upper - 6}V${lower}" stroke="${ink}" stroke-dasharray="2 3" stroke-width="0.9"/>`,
    ),
    `<path d="M${left} ${lower}H${width - right}" stroke="${ink}"/>`,
    ...Array.from({ length: highest - lowest + 1 }, (_, k) => lowest + k).flatMap((power) => [
      `<path d="M${at(x(power))} ${lower}v4" stroke="${ink}"/>`,
      text(x(power), lower + 17, percentName(power), `text-anchor="middle" font-size="10.5" fill="${ink}"`),
    ]),
  ];
}

/** An SVG with one panel a dataset, all on one axis of shares. */
export function sizeHistogram(sets: readonly DatasetStats[]): string {
  const smallest = Math.min(0.1, ...sets.flatMap(({ areaPercent }) => areaPercent?.[0] ?? []));
  const lowest = Math.floor(Math.log10(smallest) + 1e-9);
  const height = sets.length * panel.height + 34;
  const bottom = sets.length * panel.height;
  const legend = strata.flatMap(({ name, fill }, k) => {
    const x = panel.left + 250 + k * 136;
    return [
      `<rect x="${x}" y="${bottom + 2}" width="10" height="10" fill="${fill}"/>`,
      text(x + 15, bottom + 11, name, `font-size="11" fill="${ink}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${panel.width} ${height}" width="${panel.width}" height="${height}" ${face}>`,
    `<rect width="${panel.width}" height="${height}" fill="#ffffff"/>`,
    ...sets.flatMap((stats, k) => drawPanel(stats, k * panel.height, lowest)),
    text(panel.left, bottom + 11, "object's share of its image (log scale)", `font-size="11" fill="${ink}"`),
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}
