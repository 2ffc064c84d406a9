import { spreadOf } from "../../src/bench/measure.ts";
import { type Column, formatTable } from "../../src/cli/print.ts";
import { milliseconds } from "../../src/cli/units.ts";
import { ENGINES, type Engine, type PageTimes } from "./setting.ts";
import type { Sizes } from "./site.ts";

/** Milliseconds of one visit, or of the median over visits: to each moment since the page was asked for, and of a later prediction. */
export type Moments = Readonly<Record<"script" | "ready" | "first" | "later", number>>;

/** A network on both engines, in the same browser. */
export interface WebRow {
  readonly network: string;
  /** The share of pixels to which both give the same class. */
  readonly agreement: number;
  readonly engines: Readonly<Record<Engine, Moments & Sizes>>;
  /** How many times faster we are: the median over visits, one of each engine behind the other. */
  readonly ratios: Moments;
}

/** What both engines' pages said in one turn. */
export type Turn = Readonly<Record<Engine, PageTimes>>;

/** Fewer equal pixels than this share: the engines do not compute the same, and nothing is told of their times. */
const AGREEMENT = 0.999;

/** The share of pixels to which both give the same class. */
export function agreementOf({ svanet: ours, "onnxruntime-web": theirs }: Turn): number {
  return ours.mask.filter((value, i) => value === theirs.mask[i]).length / ours.mask.length;
}

/** Why the masks of a network do not prove that both engines compute the same; null where they do. */
export function refusalOf(turns: readonly Turn[]): string | null {
  for (const turn of turns) {
    const share = agreementOf(turn);
    if (share < AGREEMENT)
      return `the engines agree on ${(100 * share).toFixed(2)} % of pixels only, of at least ${100 * AGREEMENT} %`;
    if (new Set(turn.svanet.mask).size < 2) return "all pixels are of one class, in which any two networks agree";
  }
  return null;
}

const momentsOf = ({ script, ready, first, later }: PageTimes): Moments => ({
  ...{ script, ready, first, later: spreadOf(later).median },
});

function medians(all: readonly Moments[]): Moments {
  const median = (of: keyof Moments) => spreadOf(all.map((one) => one[of])).median;
  return { script: median("script"), ready: median("ready"), first: median("first"), later: median("later") };
}

export function rowOf(network: string, turns: readonly Turn[], sizes: Readonly<Record<Engine, Sizes>>): WebRow {
  const side = (engine: Engine) => ({ ...medians(turns.map((turn) => momentsOf(turn[engine]))), ...sizes[engine] });
  const quotients = turns.map((turn): Moments => {
    const [ours, theirs] = [momentsOf(turn.svanet), momentsOf(turn["onnxruntime-web"])];
    const over = (of: keyof Moments) => theirs[of] / ours[of];
    return { script: over("script"), ready: over("ready"), first: over("first"), later: over("later") };
  });
  return {
    network,
    agreement: Math.min(...turns.map(agreementOf)),
    engines: { svanet: side("svanet"), "onnxruntime-web": side("onnxruntime-web") },
    ratios: medians(quotients),
  };
}

type Line = Pick<WebRow, "network" | "ratios" | "agreement"> & Moments & Sizes & { readonly engine: Engine };

const right = (title: string, cell: (line: Line) => string): Column<Line> => ({ title, align: "right", cell });
const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1);
const isPeer = ({ engine }: Line) => engine !== "svanet";
const ratio = (title: string, of: keyof Moments) =>
  right(title, (line) => (isPeer(line) ? `${line.ratios[of].toFixed(2)}x` : ""));

const COLUMNS: readonly Column<Line>[] = [
  { title: "network", cell: ({ network }) => network },
  { title: "engine", cell: ({ engine }) => engine },
  right("script, ms", ({ script }) => milliseconds(script)),
  right("on the GPU, ms", ({ ready }) => milliseconds(ready)),
  right("first mask, ms", ({ first }) => milliseconds(first)),
  ratio("ratio", "first"),
  right("later, ms", ({ later }) => milliseconds(later)),
  ratio("ratio", "later"),
  right("code, kB", ({ code }) => kilobytes(code)),
  right("gzipped", ({ codeGzipped }) => kilobytes(codeGzipped)),
  right("weights, kB", ({ weights }) => kilobytes(weights)),
  right("gzipped", ({ weightsGzipped }) => kilobytes(weightsGzipped)),
  right("equal pixels", (line) => (isPeer(line) ? `${(100 * line.agreement).toFixed(2)} %` : "")),
];

/** Two lines a network, ours and theirs: times since the page was asked for, of a later prediction, and sizes. */
export function tableText(rows: readonly WebRow[]): string {
  const lines = rows.flatMap(({ network, ratios, agreement, engines }) =>
    ENGINES.map((engine): Line => ({ ...{ network, ratios, agreement, engine }, ...engines[engine] })),
  );
  return [
    formatTable(COLUMNS, lines),
    "script, on the GPU, first mask: since the page was asked for, of a browser that never saw it; later: the median of further",
    "predictions. ratio: how many times faster svanet is. On a software adapter, which no user has, ratios say little of GPUs",
  ].join("\n");
}
