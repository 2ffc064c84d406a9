import type { Outcome } from "./run-parts.ts";

/** Figures worth a line of the table: their key in a result's rows, how they are called, digits that count. */
const FIGURES = [
  ["preset", ""],
  ["fps", "images/s"],
  ["stepsPerSecond", "steps/s"],
  ["medianMs", "ms (median)"],
  ["p95Ms", "ms (p95)"],
  ["gflops", "GFLOP/s"],
  ["peakBytes", "bytes at the peak"],
  ["dispatches", "dispatches"],
] as const;
const DIGITS = 4;
/** Rows of one result that the table shows. */
const ROWS = 4;

/** The day as a Markdown table. */
export function dayTable(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(
    ({ name, seconds, failure, result }) =>
      `| ${name} | ${seconds.toFixed(1)} | ${cell(failure === null ? figuresOf(result) : `failed: ${failure}`)} |`,
  );
  const commands = outcomes.map(({ name, command }) => `* ${name}: \`${command}\``);
  return ["| part | s | result |", "| --- | ---: | --- |", ...lines, "", ...commands, ""].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ");

/** The figures of a result's first rows; those of a profile are its sum, those of anything else that there is one. */
function figuresOf(result: unknown): string {
  const rows = rowsOf(result).slice(0, ROWS);
  const told = rows.map((row) => FIGURES.flatMap(([key, unit]) => figure(row[key], unit)).join(", "));
  return told.filter((text) => text !== "").join("; ") || "in the JSON";
}

function rowsOf(result: unknown): Readonly<Record<string, unknown>>[] {
  const list = Array.isArray(result) ? result : [result];
  return list.filter((row): row is Record<string, unknown> => typeof row === "object" && row !== null);
}

function figure(value: unknown, unit: string): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "number") return [];
  return [`${Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS))} ${unit}`];
}
