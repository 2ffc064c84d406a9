import { UsageError } from "../../errors.ts";
import { ABLATIONS, type Ablation, type AblationName } from "../../model/svanet/ablations.ts";
import { suggestion } from "../../nearest.ts";
import { type PaperAblation, paperAblations } from "./paper.ts";

const TABLES = {
  table4: { numeral: "IV", title: "parts of the network" },
  table5: { numeral: "V", title: "attention in MCBottleneck" },
  table6: { numeral: "VI", title: "pool sizes of MCAttn" },
  table8: { numeral: "VIII", title: "attention in MCBottleneck and AssemFormer" },
  table9: { numeral: "IX", title: "place of AssemFormer" },
  table10: { numeral: "X", title: "joins of the decoder" },
  svattn: { numeral: null, title: "variants of SvAttn" },
} as const;

export type AblationTableName = keyof typeof TABLES;

export const ABLATION_TABLES = Object.keys(TABLES) as AblationTableName[];

/** One configuration of a table. */
export interface AblationVariant {
  readonly key: AblationName;
  readonly label: string;
  /** What the paper prints in this row; empty where its text gives no figures. */
  readonly paper: PaperAblation;
}

export interface AblationTable {
  readonly name: AblationTableName;
  /** As a heading: `Table VI: pool sizes of MCAttn`. */
  readonly title: string;
  /** The row all others are compared with comes first. */
  readonly variants: readonly AblationVariant[];
  /** What stands for the paper's figures where they are missing, or has to be known of them. */
  readonly note?: string;
}

/** What has to be known of the paper's figures. */
const NOTES: { readonly [Name in AblationTableName]?: string } = {
  table9:
    "the text at hand has lost which of the rows 71.17 (before) and 71.12 (after) is which: that order is an assumption",
};

/** The tables meant by some words as {@link ablationTable} reads them; `all` is every one. */
export function ablationTables(words: readonly string[]): AblationTable[] {
  const names = words.flatMap((word) => (word.toLowerCase() === "all" ? ABLATION_TABLES : [word]));
  const tables = names.map(ablationTable);
  return [...new Map(tables.map((table) => [table.name, table])).values()];
}

/** The table meant by `table6`, `6`, `t6`, `VI` or `table VI`. UsageError with the nearest name for any other. */
export function ablationTable(text: string): AblationTable {
  const name = nameOf(text);
  const { numeral, title } = TABLES[name];
  const { rows, note } = numeral === null ? { rows: [], note: undefined } : paperAblations(numeral);
  const all = Object.entries(ABLATIONS) as [AblationName, Ablation][];
  const variants = all
    .filter(([, { table }]) => table === numeral)
    .sort(([, one], [, two]) => one.row - two.row)
    .map(([key, { label, row }]) => ({ key, label, paper: rows[row - 1] ?? {} }));
  const heading = numeral === null ? title : `Table ${numeral}: ${title}`;
  const said = note ?? NOTES[name];
  return { name, title: heading, variants, ...(said === undefined ? {} : { note: said }) };
}

/**
 * Some rows of a table, by ascending numbers from 1; all others are compared with the first of them. UsageError for a number
 * that no row has, and for fewer than two rows.
 */
export function withRows(table: AblationTable, numbers: readonly number[]): AblationTable {
  const { name, title, variants } = table;
  const strange = numbers.find((number) => variants[number - 1] === undefined);
  if (strange !== undefined) {
    const rows = variants.map(({ label }, i) => `${i + 1} ${label}`).join("; ");
    throw new UsageError(`--rows ${numbers.join(",")}: ${name} has no row ${strange}; its rows are ${rows}`);
  }
  if (numbers.length < 2) throw new UsageError(`--rows ${numbers.join(",")}: a table compares two rows or more`);
  const chosen = variants.filter((_, i) => numbers.includes(i + 1));
  return { ...table, title: `${title} (rows ${numbers.join(", ")})`, variants: chosen };
}

function nameOf(text: string): AblationTableName {
  const plain = text.toLowerCase().replace(/[-_\s]/g, "");
  const bare = plain.replace(/^(table|tab|t)(?=.)/, "");
  const found = ABLATION_TABLES.find((name) => {
    const { numeral } = TABLES[name];
    return [name, name.replace("table", ""), numeral?.toLowerCase()].some((known) => known === plain || known === bare);
  });
  if (found) return found;
  if (["7", "vii"].includes(bare)) {
    throw new UsageError("Table VII is of speed and compares no variants: svanet bench fps measures it");
  }
  throw new UsageError(`there is no ablation table ${text}. ${suggestion(text, ABLATION_TABLES)}`);
}
