import { appendFileSync, existsSync, statSync } from "node:fs";
import { SvanetError } from "../../errors.ts";
import { CutLog, movedNote } from "./cut-log.ts";
import { FileReader, startOfEnd } from "./file-reader.ts";

/** One line of metrics.jsonl: the step it belongs to, what kind of line it is, and numbers by name. */
export interface MetricsRow {
  readonly step: number;
  readonly kind: string;
  readonly [name: string]: number | string | boolean | null;
}

const NEWLINE = 10;
/** A line of ours has some hundred bytes. */
const MOST_LINE_BYTES = 1 << 20;

export function appendMetrics(path: string, row: MetricsRow): void {
  appendFileSync(path, `${JSON.stringify(row)}\n`);
}

/** The rows of a metrics.jsonl, one by one; lines that are none (a last one that was cut off) are left out. */
export function* readMetrics(path: string): Generator<MetricsRow> {
  if (!existsSync(path)) return;
  for (const { row } of lines(path)) if (row) yield row;
}

/** What is looked at of the end of a log: some hundred rows. */
const TAIL_BYTES = 1 << 16;

/**
 * The last row of a kind among the last ones of a metrics.jsonl, which another process may be writing at this moment; undefined
 * where there is none.
 */
export function lastMetrics(path: string, kind: string): MetricsRow | undefined {
  if (!existsSync(path)) return undefined;
  const reader = new FileReader(path, Math.max(0, statSync(path).size - TAIL_BYTES));
  try {
    const ended = reader.take(TAIL_BYTES).toString("utf8").split("\n").slice(0, -1);
    return ended.map(rowOf).findLast((row) => row?.kind === kind);
  } finally {
    reader.close();
  }
}

/**
 * Moves the rows after `step`, and lines that are no rows, from a metrics.jsonl to the file `cut`. A last line that was
 * cut off, as a killed process leaves it, is dropped. Of a log longer than 64 MiB only the end is looked at. Returns a
 * sentence on what was moved, null where nothing was.
 */
export function cutMetrics(path: string, step: number, cut: string): string | null {
  if (!existsSync(path)) return null;
  const start = startOfEnd(path, (reader) => placeOfKept(reader, step));
  const log = new CutLog(path, cut, start);
  const counts = { kept: 0, torn: 0, late: 0, unreadable: 0 };
  let first = "";
  try {
    for (const line of lines(path, start)) {
      const kind = kindOf(line, step);
      if (kind === "unreadable" && counts.unreadable === 0) first = placeOf(line, start);
      counts[kind]++;
      if (kind === "kept") log.keep(line.bytes);
      else if (kind === "torn") log.drop();
      else log.cut(line.bytes);
    }
    log.finish();
  } finally {
    log.abandon();
  }
  return movedNote(path, cut, [
    counts.late > 0 && `${counts.late} rows after step ${step}`,
    counts.unreadable > 0 && `${counts.unreadable} lines that are no rows (the first is ${first})`,
  ]);
}

function kindOf({ row, ended }: Line, step: number): "kept" | "torn" | "late" | "unreadable" {
  if (!ended) return "torn";
  if (!row) return "unreadable";
  return row.step <= step ? "kept" : "late";
}

/** Where the first whole line behind the one that `reader` stands in begins, if it is a row of `step` or before. */
function placeOfKept(reader: FileReader, step: number): number | undefined {
  if (reader.takeThrough(NEWLINE, MOST_LINE_BYTES) === undefined) return undefined;
  const place = reader.position;
  const bytes = reader.takeThrough(NEWLINE, MOST_LINE_BYTES);
  const row = bytes && rowOf(bytes.toString("utf8"));
  return row !== undefined && row.step <= step ? place : undefined;
}

/** Lines are counted from the start of the file, or not at all. */
const placeOf = ({ number }: Line, start: number) => (start === 0 ? `line ${number}` : `behind byte ${start}`);

interface Line {
  /** With the newline; valid until the next line is asked for. */
  readonly bytes: Buffer;
  /** From 1, where reading began. */
  readonly number: number;
  readonly ended: boolean;
  readonly row: MetricsRow | undefined;
}

function* lines(path: string, start = 0): Generator<Line> {
  const reader = new FileReader(path, start);
  try {
    for (let number = 1; reader.rest > 0; number++) {
      const bytes = reader.takeThrough(NEWLINE, MOST_LINE_BYTES);
      if (bytes === undefined) {
        throw new SvanetError(
          `${path} is no log of svanet: line ${number} has more than ${MOST_LINE_BYTES} bytes; move the file away`,
        );
      }
      if (bytes.length === 0) return; // the file became shorter while it was read
      const ended = bytes.at(-1) === NEWLINE;
      yield { bytes, number, ended, row: ended ? rowOf(bytes.toString("utf8")) : undefined };
    }
  } finally {
    reader.close();
  }
}

function rowOf(text: string): MetricsRow | undefined {
  try {
    const value = JSON.parse(text) as Partial<MetricsRow> | null;
    return Number.isSafeInteger(value?.step) && typeof value?.kind === "string" ? (value as MetricsRow) : undefined;
  } catch {
    return undefined; // the caller decides what becomes of such a line
  }
}
