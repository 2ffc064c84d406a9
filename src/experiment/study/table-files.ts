import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { csv } from "../../csv.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { imageTable } from "../../metrics/evaluation.ts";
import type { Selection } from "./plan.ts";
import type { UnfinishedRun } from "./runner.ts";
import type { RunScores, ScoredSize } from "./score.ts";
import type { StudyRow } from "./table.ts";

/** A table of a study, as its JSON file holds it. */
export interface StudyTable<Row extends StudyRow = StudyRow> {
  /** Of its files: `table6`. */
  readonly table: string;
  readonly title: string;
  /** The data set's folder and name. */
  readonly data: string;
  readonly dataset: string;
  readonly split: string;
  readonly select: Selection;
  /** The size at which was scored; the rows say which one a network was trained at. */
  readonly at: ScoredSize;
  readonly repeats: number;
  /** Key of the row that p-values compare with; null where nothing is compared. */
  readonly baseline: string | null;
  readonly rows: readonly Row[];
  /** Sentences for below the table. */
  readonly notes: readonly string[];
  /** Runs without an end, and why; their rows have no numbers. */
  readonly unfinished: readonly UnfinishedRun[];
}

/** A table with the scores of its runs. */
export interface ScoredTable<Row extends StudyRow = StudyRow> {
  readonly table: StudyTable<Row>;
  readonly scores: readonly RunScores[];
}

/** The document that `--json` prints and the JSON file holds: all but the images. */
export function tableDocument({ table, scores }: ScoredTable) {
  const runs = scores.map(({ images: _images, strata, ...run }) => {
    const { mDice = null, sensitivity = null } = strata["all"] ?? {};
    return { ...run, mDice, sensitivity };
  });
  return { ...table, runs };
}

/** Metrics of the CSV file, in its order. */
export const TABLE_METRICS = ["mDice", "mIoU", "maeRelease", "sensitivity", "f2"] as const;

/** The rows as CSV, numbers unrounded: every metric of {@link TABLE_METRICS} for every stratum, with its deviation. */
export function tableCsv({ rows }: StudyTable, paper: (row: StudyRow) => Readonly<Record<string, unknown>>): string {
  const plain = ["key", "name", "parameters", "linkParameters", "scoredAt"] as const;
  const tests = ["difference", "pValue", "pValueHolm", "pValueT", "pValueTHolm"] as const;
  const strata = Object.keys(rows.find(({ complete }) => complete)?.strata ?? {});
  const cells = strata.flatMap((stratum) => TABLE_METRICS.map((metric) => [stratum, metric] as const));
  const inPaper = [...new Set(rows.flatMap((row) => Object.keys(paper(row))))];
  const header = [
    ...plain,
    ...cells.flatMap(([stratum, metric]) => [`${metric} ${stratum}`, `${metric} ${stratum} sd`]),
    ...tests,
    ...inPaper.map((name) => `paper ${name}`),
  ];
  const lines = rows.map((row) => [
    ...plain.map((name) => row[name]),
    ...cells.flatMap(([stratum, metric]) => {
      const { mean = null, sd = null } = row.strata[stratum]?.[metric] ?? {};
      return [mean, sd];
    }),
    ...tests.map((name) => row[name]),
    ...inPaper.map((name) => paper(row)[name] as number | null | undefined),
  ]);
  return csv([header, ...lines]);
}

/** Every image of every run as CSV. */
export function imagesCsv(scores: readonly RunScores[]): string {
  const tables = scores.map(({ run, seed, images }, i) => {
    const [header = "", ...lines] = imageTable(images).trimEnd().split("\n");
    const named = lines.map((line) => `${run},${seed},${line}`);
    return i === 0 ? [`run,seed,${header}`, ...named] : named;
  });
  return `${tables.flat().join("\n")}\n`;
}

/** The texts of a table's files, by their endings. */
export interface TableTexts {
  readonly csv: string;
  /** The table as Markdown. */
  readonly markdown: string;
}

/**
 * Writes NAME.json, NAME.csv, NAME.md and NAME-images.csv into the study's folder, the JSON last. NAME is the table's, or
 * with a number behind it where that belongs to a table of other runs, rows or scores already: no table takes another's
 * place. Returns NAME.
 */
export function writeTable(folder: string, scored: ScoredTable, texts: TableTexts): string {
  makeFolder(folder);
  const id = tableId(scored.table);
  const name = freeName(folder, scored.table.table, id);
  const write = (ending: string, text: string) => writeFileAtomic(join(folder, `${name}${ending}`), text);
  write(".csv", texts.csv);
  write(".md", texts.markdown);
  write("-images.csv", imagesCsv(scored.scores));
  write(".json", `${JSON.stringify({ id, ...tableDocument(scored) }, null, 2)}\n`);
  return name;
}

/** What a table is of: the same id, the same table, however far its runs are. */
function tableId({ table, data, split, select, at, baseline, rows }: StudyTable): string {
  const of = rows.map(({ key, name, runs }) => [key, name, runs]);
  const text = JSON.stringify([table, data, split, select, at, baseline, of]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function freeName(folder: string, wanted: string, id: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    const file = join(folder, `${name}.json`);
    if (!existsSync(file) || idIn(file) === id) return name;
  }
}

/** The id of a table's file; undefined for any other file. */
function idIn(file: string): string | undefined {
  try {
    const { id } = JSON.parse(readFileSync(file, "utf8")) as { readonly id?: string };
    return id;
  } catch {
    return undefined; // not ours, or torn: it stays where it is
  }
}
