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
  /** What stands for the paper's figures where they are missing. */
  readonly note?: string;
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
  return { name, title: heading, variants, ...(note === undefined ? {} : { note }) };
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
