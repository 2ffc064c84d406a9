import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ReportCell, ReportTable } from "./data.ts";

/** A study's table: how it was printed, and which runs its rows are of. */
export interface StoredTable {
  readonly tables: readonly ReportTable[];
  readonly rows: readonly { readonly name: string; readonly runs: readonly string[] }[];
}

const tableFile = z.looseObject({
  id: z.string(),
  title: z.string(),
  dataset: z.string(),
  split: z.string(),
  repeats: z.number(),
  rows: z.array(z.looseObject({ name: z.string(), runs: z.array(z.string()) })),
  unfinished: z.array(z.looseObject({ run: z.string(), why: z.string() })).catch([]),
});

/** The tables that studies have written into a folder, by name. Other files are passed over. */
export function readTables(folder: string): StoredTable[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.sort().flatMap((name) => {
    const found = readTable(folder, name.slice(0, -".json".length));
    return found === undefined ? [] : [found];
  });
}

function readTable(folder: string, name: string): StoredTable | undefined {
  const [json, markdown] = [join(folder, `${name}.json`), join(folder, `${name}.md`)];
  if (!existsSync(markdown)) return undefined;
  const found = tableFile.safeParse(jsonOf(readFileSync(json, "utf8")));
  if (!found.success) return undefined;
  const { dataset, split, repeats, rows, unfinished } = found.data;
  const over = `${dataset}, split ${split}, ${repeats} ${repeats === 1 ? "run" : "runs"} of each row.`;
  const missing = unfinished.map(({ run, why }) => `No result: ${run} (${why.split("\n")[0]}).`);
  const tables = tablesOfMarkdown(readFileSync(markdown, "utf8"));
  return { tables: tables.map((table) => ({ ...table, caption: over, notes: [...table.notes, ...missing] })), rows };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // none of ours
  }
}

/** The tables of a page of Markdown as `markdownPage` writes it: a title, headings, tables with the best in bold, notes. */
function tablesOfMarkdown(text: string): ReportTable[] {
  const lines = text.split("\n");
  const title = lines.find((line) => line.startsWith("# "))?.slice(2) ?? "";
  const notes = lines.filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
  const tables: ReportTable[] = [];
  let heading = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.startsWith("## ")) heading = line.slice(3);
    if (!line.startsWith("| ")) continue;
    const end = lines.findIndex((other, i) => i > at && !other.startsWith("| "));
    const [titles = [], rule = [], ...rows] = lines.slice(at, end === -1 ? undefined : end).map(cellsOf);
    tables.push({
      title: heading === "" ? title : `${title}: ${heading}`,
      caption: "",
      columns: titles.map(({ text }, i) => ({ title: text, align: rule[i]?.text === "---:" ? "right" : "left" })),
      rows,
      notes: [],
    });
    at += rows.length + 1;
  }
  return tables.map((table, i) => (i === tables.length - 1 ? { ...table, notes } : table));
}

/** The cells of a line; `\|` and `\\` stand for what they escape. */
function cellsOf(line: string): ReportCell[] {
  const cells = [...line.matchAll(/\| ((?:\\.|[^|\\])*?) (?=\|)/g)].map(([, cell = ""]) => cell);
  return cells.map((cell) => {
    const bold = /^\*\*(.*)\*\*$/.exec(cell)?.[1];
    const text = (bold ?? cell).replaceAll(/\\(.)/g, "$1");
    return bold === undefined ? { text } : { text, bold: true };
  });
}
