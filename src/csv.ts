type Cell = string | number | null | undefined;

/** Rows as CSV, a line each: nothing for null and undefined, numbers unrounded, quotes only round cells that need them. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return `${rows.map((row) => row.map(written).join(",")).join("\n")}\n`;
}

function written(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table with one more column, the same in every row; no cell of it holds a line break. */
export function withColumn(table: string, title: string, value: string): string {
  const [head = "", ...rows] = table.trimEnd().split("\n");
  return `${[`${head},${title}`, ...rows.map((row) => `${row},${value}`)].join("\n")}\n`;
}

/**
 * The rows of a CSV with a header line, by the header's names; quoted cells may hold commas, quotes and line breaks. Cells that
 * a row lacks are empty.
 */
export function readCsv(text: string): Readonly<Record<string, string>>[] {
  const [header = [], ...rows] = cellsOf(text);
  return rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i] ?? ""])));
}

/** The cells of every line; of one cell the text with its quotes taken off. */
function cellsOf(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (end === "" && row.length === 0 && quoted === undefined && plain === "") break;
    row.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
    if (end === "") break;
  }
  return rows;
}
