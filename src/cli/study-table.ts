import type { ScoredSize } from "../experiment/study/score.ts";
import type { StudyRow } from "../experiment/study/table.ts";
import type { StudyTable } from "../experiment/study/table-files.ts";
import { type Column, note, printTable } from "./print.ts";
import { figure } from "./units.ts";

/** A column of scores, the best of which is marked. */
export interface ScoreColumn<Row> extends Column<Row> {
  /** What its cells are compared by; null where a row has none. Left out: nothing is marked. */
  readonly score?: (row: Row) => number | null;
  /** Whether less is better. */
  readonly lower?: boolean;
}

/** The rows that are the best of a column, equal ones together; none where fewer than two can be compared. */
function bestOf<Row>({ score, lower = false }: ScoreColumn<Row>, rows: readonly Row[]): ReadonlySet<Row> {
  const scored = rows.flatMap((row) => {
    const value = score?.(row) ?? null;
    return value === null ? [] : [{ row, value: lower ? -value : value }];
  });
  if (scored.length < 2) return new Set();
  const most = scored.reduce((best, { value }) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  return new Set(scored.filter(({ value }) => value === most).map(({ row }) => row));
}

/** The columns with the best cells marked by `mark`. */
function marked<Row>(
  columns: readonly ScoreColumn<Row>[],
  rows: readonly Row[],
  mark: (cell: string, best: boolean) => string,
): Column<Row>[] {
  return columns.map((column) => {
    const best = bestOf(column, rows);
    return { ...column, cell: (row) => mark(column.cell(row), best.has(row)) };
  });
}

/** A table for the terminal: the best cells have a `*`, whose place the others keep. */
export function printScores<Row>(columns: readonly ScoreColumn<Row>[], rows: readonly Row[]): void {
  const compared = columns.filter((column) => bestOf(column, rows).size > 0);
  const starred = marked(compared, rows, (cell, best) => `${cell}${best ? "*" : " "}`);
  printTable(
    columns.map((column) => starred[compared.indexOf(column)] ?? column),
    rows,
  );
}

/** A table in Markdown: the best cells are bold. */
export function markdownTable<Row>(columns: readonly ScoreColumn<Row>[], rows: readonly Row[]): string {
  const plain = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\r?\n/g, " ");
  const bold = marked(columns, rows, (cell, best) => (best ? `**${plain(cell)}**` : plain(cell)));
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(bold.map(({ title }) => plain(title))),
    line(bold.map(({ align }) => (align === "right" ? "---:" : "---"))),
    ...rows.map((row) => line(bold.map(({ cell }) => cell(row)))),
  ].join("\n");
}

/** A heading, the table and what is to be known of it, as a Markdown file. */
export function markdownPage(title: string, tables: readonly string[], notes: readonly string[]): string {
  return `# ${title}\n\n${tables.join("\n\n")}\n\n${notes.map((text) => `- ${text}`).join("\n")}\n`;
}

/** The line above a printed table. */
export function tableHeading({ title, repeats, dataset, split }: StudyTable): string {
  return `${title} (${repeats} ${repeats === 1 ? "run" : "runs"} each, ${dataset}, split ${split})`;
}

/** Prints the notes of a table. */
export function printNotes(notes: readonly string[]): void {
  for (const text of notes) note(text);
}

/** A stratum in words: `< 1 %`, `all`. */
export const stratumText = (name: string): string => (name === "all" ? "all" : `< ${name} %`);

/** `72.58 ± 0.31`; without a deviation the mean, without a mean a dash. */
export function withSpread(row: StudyRow, stratum: string, metric: string, unit = 1): string {
  const { mean = null, sd = null } = row.strata[stratum]?.[metric] ?? {};
  const text = (value: number | null) => figure(value === null ? null : value * unit);
  return sd === null || mean === null ? text(mean) : `${text(mean)} ± ${text(sd)}`;
}

/** A column of a metric in a stratum: mean and deviation over the repeats. */
export function metricColumn<Row extends StudyRow>(
  title: string,
  stratum: string,
  metric: string,
  { unit = 1, lower = false } = {},
): ScoreColumn<Row> {
  return {
    title,
    align: "right",
    lower,
    cell: (row) => withSpread(row, stratum, metric, unit),
    score: (row) => row.strata[stratum]?.[metric]?.mean ?? null,
  };
}

/** A p-value with three digits. */
export function probability(value: number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

/** The three columns of p-values. */
export function testColumns<Row extends StudyRow>(): ScoreColumn<Row>[] {
  const column = (title: string, key: "pValue" | "pValueHolm" | "pValueT"): ScoreColumn<Row> => ({
    title,
    align: "right",
    cell: (row) => probability(row[key]),
  });
  return [column("p", "pValue"), column("p (Holm)", "pValueHolm"), column("p (t)", "pValueT")];
}

/** Names of the strata of the first row that has any. */
export const strataOf = (rows: readonly StudyRow[]): string[] =>
  Object.keys(rows.find(({ complete }) => complete)?.strata ?? {});

/** The sizes that the rows were scored at, each once. */
export const sizesOf = (rows: readonly StudyRow[], at: ScoredSize): string[] =>
  at === "native" ? [] : [...new Set(rows.flatMap(({ scoredAt }) => scoredAt ?? []))];

/** What the figures of every table mean. */
export const METRIC_NOTES = [
  "mDice, mIoU, sensitivity, F2: percent, pooled pixels per class, classes weighted by the images they occur in, background included; mean and standard deviation over the runs. A stratum holds the images whose largest object takes less than so much of the image.",
] as const;

/** What the p-values mean; `against` is the row they compare with. */
export const testNote = (against: string): string =>
  `p: against "${against}", two-sided Wilcoxon signed-rank test on the images' own Dice, averaged over the runs; (Holm): corrected for the rows of the table; (t): paired t-test. Such a p-value speaks of these images under these runs, not of other data or seeds.`;
