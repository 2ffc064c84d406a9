import { appendFileSync } from "node:fs";
import { csv } from "../../csv.ts";
import { AtomicFile } from "../../files/atomic.ts";
import type { MetricsRow } from "./metrics-log.ts";

/** What rows of any run may have, in the order of the columns: of both kinds, of training steps, of validations. */
const COMMON = ["step", "kind", "epoch", "time", "loss"];
const OF_STEPS = ["dice", "gradientNorm", "rate", "skipped", "lossScale", "skippedSteps"];
const OF_VALIDATIONS = ["scoredAt", "foregroundDice", "mIoU", "mDice", "sensitivity"];

/** The columns of metrics.csv for a data set of so many classes, `dice0` and `iou0` those of the background. */
export function metricsColumns(classes: number): string[] {
  const each = Array.from({ length: classes }, (_, label) => [`dice${label}`, `iou${label}`]);
  return [...COMMON, ...OF_STEPS, ...OF_VALIDATIONS, ...each.flat()];
}

/** Bytes of text that are written at once. */
const CHUNK_TEXT = 1 << 16;

/**
 * The rows of metrics.jsonl as a table for spreadsheets, R and pandas: one header for the whole run, a line each row, a cell
 * without content where a row has no such number. It is made of metrics.jsonl anew when a run folder is opened, so that both
 * hold the same rows whatever a killed process left, and appended to from there on.
 */
export class MetricsCsv {
  readonly #path: string;
  readonly #columns: readonly string[];

  /** Writes the table of the `rows` there are, whole or not at all. Throws OutputError where the system refuses. */
  constructor(path: string, classes: number, rows: Iterable<MetricsRow>) {
    this.#path = path;
    this.#columns = metricsColumns(classes);
    const file = new AtomicFile(path);
    try {
      let text = csv([this.#columns]);
      for (const row of rows) {
        text += this.#line(row);
        if (text.length < CHUNK_TEXT) continue;
        file.append(Buffer.from(text));
        text = "";
      }
      file.append(Buffer.from(text));
      file.finish();
    } catch (error) {
      file.discard();
      throw error;
    }
  }

  append(row: MetricsRow): void {
    appendFileSync(this.#path, this.#line(row));
  }

  #line(row: MetricsRow): string {
    return csv([this.#columns.map((name) => cellOf(row[name]))]);
  }
}

const cellOf = (value: MetricsRow[string] | undefined) => (typeof value === "boolean" ? String(value) : value);
