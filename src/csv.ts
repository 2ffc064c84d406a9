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
