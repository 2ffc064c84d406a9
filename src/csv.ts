type Cell = string | number | null | undefined;

/** Rows as CSV, a line each: nothing for null and undefined, numbers unrounded, quotes only round cells that need them. */
export function csv(rows: readonly (readonly Cell[])[]): string {
  return `${rows.map((row) => row.map(written).join(",")).join("\n")}\n`;
}

function written(cell: Cell): string {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
