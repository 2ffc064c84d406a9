import { existsSync, statSync } from "node:fs";
import { FileReader } from "../../run/file-reader.ts";

/** Lines that say why a process failed. */
const LINES = 5;
const BYTES = 1 << 14;

/** The last lines of a text that a process printed into `path`, from the byte `from` on; empty where it printed nothing. */
export function lastLines(path: string, from = 0): readonly string[] {
  if (!existsSync(path)) return [];
  const reader = new FileReader(path, Math.max(from, statSync(path).size - BYTES));
  try {
    const lines = reader.take(BYTES).toString("utf8").split("\n");
    return lines.filter((line) => line.trim() !== "").slice(-LINES);
  } finally {
    reader.close();
  }
}

/** What is said of a run whose process failed: how it ended, where all lies that it printed, and the end of that. */
export const failureText = (ending: string, log: string, lines: readonly string[]): string =>
  [`${ending}; it printed (${log}):`, ...(lines.length === 0 ? ["nothing"] : lines)].join("\n");
