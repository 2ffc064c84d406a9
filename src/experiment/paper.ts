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

/** What the paper's Table VII prints for a network; undefined for one it does not list. */
export function paperCost(network: string): PaperCost | undefined {
  const { tableVII } = paperTables() as { readonly tableVII: Readonly<Record<string, PaperCost>> };
  return Object.hasOwn(tableVII, network) ? tableVII[network] : undefined;
}
