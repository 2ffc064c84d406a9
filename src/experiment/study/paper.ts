import { readFileSync } from "node:fs";

/** The networks of the paper's Table VII in its order, each in the form whose counts come nearest to the paper's. */
export const TABLE_VII = [
  "unet",
  "unetpp",
  "pranet-resnet50",
  "hrnet-single",
  "nnunet",
  "cfanet-resnet50",
  "transnetr-full",
  "svanet",
] as const;

/** A row of the paper's Table VII. */
export interface PaperCost {
  readonly parametersM: number;
  readonly macsG: number;
  readonly fps: number;
}

/** The paper's tables, as typed in from its text. */
function paperTables(): unknown {
  return JSON.parse(readFileSync(new URL("paper-tables.json", import.meta.url), "utf8"));
}

/** A row of one of the paper's ablation tables. */
export interface PaperAblation {
  readonly mDice?: number;
  readonly sensitivity?: number;
  readonly pValue?: number | null;
  /** Table X: of the decoder links alone, in millions. */
  readonly parametersM?: number | null;
}

/** The paper's rows of an ablation table from the top, or the note that stands for figures its text does not have. */
export function paperAblations(numeral: string): { readonly rows: readonly PaperAblation[]; readonly note?: string } {
  const found = (paperTables() as Readonly<Record<string, unknown>>)[`table${numeral}`];
  if (Array.isArray(found)) return { rows: (found as PaperAblation[]).map(figures) };
  const note = (found as { readonly note?: string } | undefined)?.note;
  return { rows: [], ...(note === undefined ? {} : { note }) };
}

function figures({ mDice, sensitivity, pValue, parametersM }: PaperAblation): PaperAblation {
  return JSON.parse(JSON.stringify({ mDice, sensitivity, pValue, parametersM })) as PaperAblation;
}

/** What the paper's Table VII prints for a network; undefined for one it does not list. */
export function paperCost(network: string): PaperCost | undefined {
  const { tableVII } = paperTables() as { readonly tableVII: Readonly<Record<string, PaperCost>> };
  return Object.hasOwn(tableVII, network) ? tableVII[network] : undefined;
}

/** The paper's row of Table I for a data set. */
export interface PaperData {
  readonly dataset: string;
  /** How the pictures were taken, abbreviated: `Oph`, `COL`. */
  readonly capture: string;
  readonly train: number;
  readonly test: number;
  /** Smallest and largest object, percent of the image. */
  readonly areaPercent: readonly [number, number];
  readonly ultraSmall: number;
  readonly small: number;
  readonly all: number;
}

/** A paper's data set is meant by its name, whatever its case, spaces and dashes: `isic2018` is `ISIC 2018`. */
const bare = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/** The row of Table I of the data set called `name`; undefined for one that is not the paper's. */
export function paperData(name: string): PaperData | undefined {
  const { tableI } = paperTables() as { readonly tableI: readonly PaperData[] };
  return tableI.find(({ dataset }) => bare(dataset) === bare(name));
}

/** A network's figures on a data set by stratum, as Tables II and III print them; a stratum the paper leaves out is missing. */
export type PaperScores = Readonly<Record<string, Readonly<Partial<Record<PaperMetric, number>>>>>;

/** The metrics of Tables II and III: percent; MAE in whatever unit the paper prints it. */
export const PAPER_METRICS = ["mDice", "mIoU", "mae", "sensitivity", "f2"] as const;
export type PaperMetric = (typeof PAPER_METRICS)[number];

/** The names of our strata for the paper's. */
const PAPER_STRATA = { ultraSmall: "1", small: "10", all: "all" } as const;

/** What the paper prints of a network (by its name there) on a data set; undefined where it prints nothing. */
export function paperScores(name: string, network: string): PaperScores | undefined {
  const { tableII, tableIII } = paperTables() as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const set = Object.entries({ ...tableII, ...tableIII }).find(([key]) => bare(key) === bare(name));
  const found = (set?.[1] as Readonly<Record<string, PrintedScores>> | undefined)?.[network];
  if (found === undefined) return undefined;
  const strata = Object.entries(PAPER_STRATA).flatMap(([theirs, ours]) => {
    const values = PAPER_METRICS.flatMap((metric) => {
      const printed = found[metric];
      const value = typeof printed === "number" ? (theirs === "all" ? printed : undefined) : printed?.[theirs];
      return typeof value === "number" ? [[metric, value] as const] : [];
    });
    return values.length === 0 ? [] : [[ours, Object.fromEntries(values)] as const];
  });
  return Object.fromEntries(strata);
}

/** As stored: a metric by stratum, or one number for all. */
type PrintedScores = Readonly<Record<PaperMetric, number | Readonly<Record<string, number>>>>;
