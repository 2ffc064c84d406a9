import { readFileSync } from "node:fs";

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
