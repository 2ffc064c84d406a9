import { writeSync } from "node:fs";
import { visible, visibleInLine, visibleJson } from "../visible.ts";

/** One column of a table: its heading, and how a row's cell reads. Numbers stand right-aligned. */
export interface Column<Row> {
  readonly title: string;
  readonly align?: "left" | "right";
  cell(row: Row): string;
}

/** A table as text: columns padded to their widest cell, two spaces between, a rule below the heading. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => visibleInLine(column.cell(row))));
  const titles = columns.map(({ title }) => visibleInLine(title));
  const widths = titles.map((title, i) => Math.max(width(title), ...cells.map((line) => width(line[i] ?? ""))));
  const format = (line: readonly string[]) => {
    const padded = columns.map(({ align }, i) => pad(line[i] ?? "", widths[i] ?? 0, align ?? "left"));
    return padded.join("  ").trimEnd();
  };
  const rule = widths.map((size) => "-".repeat(size)).join("  ");
  return [format(titles), rule, ...cells.map(format)].join("\n");
}

/** Prints a table to stdout. */
export function printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
  printLine(formatTable(columns, rows));
}

/** Prints the one JSON document of a `--json` command. Nothing else may go to stdout in that case. */
export function printJson(document: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(document, null, 2))}\n`);
}

/**
 * Prints a result to stdout. Nothing outside this file writes to the terminal (progress bars ask `visibleInLine`): results
 * go to stdout, all else to stderr, and what a terminal would obey instead of showing it is escaped on the way, because
 * names of files, classes and keys are other people's.
 */
export function printLine(text: string): void {
  process.stdout.write(`${visible(text)}\n`); // console.log keeps a full disk to itself
}

/** Tells the person something that is not a result: progress, notes, warnings. Goes to stderr. */
export function note(text: string): void {
  process.stderr.write(`${visible(text)}\n`);
}

/** Like `note`, at once and even while the process is ending. */
export function noteNow(text: string): void {
  try {
    writeSync(2, `${visible(text)}\n`);
  } catch {
    // Nobody reads it any more; the exit code says the rest.
  }
}

/** Characters on screen: combining marks take none. */
function width(text: string): number {
  return [...text.normalize("NFC")].length;
}

function pad(text: string, size: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, size - width(text)));
  return align === "left" ? text + space : space + text;
}
