import { csv } from "../../csv.ts";
import type { ImageResult, StratumResult } from "../../metrics/evaluation.ts";
import { imageTable } from "../../metrics/evaluation.ts";
import { pairedTTest, wilcoxonSignedRank } from "../../metrics/significance.ts";
import type { AblationTableName, AblationVariant } from "./ablate-tables.ts";
import type { PaperAblation } from "./paper.ts";

/** One trained and evaluated run of a table. */
export interface EvaluatedRun {
  readonly key: string;
  readonly seed: number;
  readonly checkpoint: string;
  /** Updates the evaluated checkpoint had seen. */
  readonly step: number;
  readonly strata: Readonly<Record<string, StratumResult>>;
  readonly images: readonly ImageResult[];
}

/** Mean and sample standard deviation over the repeats; null where there is none. */
interface Spread {
  readonly mean: number | null;
  readonly sd: number | null;
}

/** One row of the table. Percentages; p-values compare it with the first row. */
export interface AblationRow {
  readonly key: string;
  readonly name: string;
  readonly mDice: number | null;
  readonly mDiceSd: number | null;
  readonly sensitivity: number | null;
  readonly sensitivitySd: number | null;
  /** Wilcoxon's signed-rank test over the images' Dice, averaged over the repeats; null in the first row. */
  readonly pValue: number | null;
  /** The paired t-test over the same pairs. */
  readonly pValueT: number | null;
  readonly parameters: number;
  /** Of the decoder's links alone, as the paper's Table X counts. */
  readonly linkParameters: number;
  readonly paper: PaperAblation;
  /** Every metric by stratum. */
  readonly strata: Readonly<Record<string, Readonly<Record<string, Spread>>>>;
}

export interface AblationReport {
  readonly table: AblationTableName;
  readonly title: string;
  readonly data: string;
  readonly split: string;
  readonly repeats: number;
  /** The trained size, `512x512` (width x height): images and masks are compared at it. */
  readonly scoredAt: string;
  /** What stands for the paper's figures where its text does not give them. */
  readonly note?: string;
  readonly rows: readonly AblationRow[];
  readonly runs: readonly EvaluatedRun[];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean: finite(mean), sd: finite(Math.sqrt(squares / (values.length - 1))) };
}

export function ablationRow(
  { key, label, paper }: AblationVariant,
  runs: readonly EvaluatedRun[],
  baseline: readonly EvaluatedRun[],
  sizes: { readonly parameters: number; readonly linkParameters: number },
): AblationRow {
  const strata = Object.fromEntries(
    Object.keys(runs[0]?.strata ?? {}).map((name) => [name, spreads(runs.flatMap((run) => run.strata[name] ?? []))]),
  );
  const { mDice, sensitivity } = strata["all"] ?? {};
  return {
    key,
    name: label,
    mDice: mDice?.mean ?? null,
    mDiceSd: mDice?.sd ?? null,
    sensitivity: sensitivity?.mean ?? null,
    sensitivitySd: sensitivity?.sd ?? null,
    ...comparison(runs, baseline),
    ...sizes,
    paper,
    strata,
  };
}

function spreads(results: readonly StratumResult[]): Record<string, Spread> {
  const [first] = results;
  const names = Object.entries(first ?? {}).filter((entry) => typeof entry[1] === "number");
  return Object.fromEntries(
    names.map(([name]) => [name, spread(results.map((result) => Number(result[name as keyof StratumResult])))]),
  );
}

/** Compares per-image Dice, averaged over the repeats, with the first row's. */
function comparison(runs: readonly EvaluatedRun[], baseline: readonly EvaluatedRun[]) {
  if (runs[0] === undefined || runs[0] === baseline[0]) return { pValue: null, pValueT: null };
  const [own, other] = [meanDice(runs), meanDice(baseline)];
  const both = own
    .map((dice, i) => [dice, other[i] ?? Number.NaN] as const)
    .filter((pair) => pair.every(Number.isFinite));
  const [one, two] = [both.map(([dice]) => dice), both.map(([, dice]) => dice)];
  return {
    pValue: finite(wilcoxonSignedRank(one, two).pValue),
    pValueT: finite(pairedTTest(one, two).pValue),
  };
}

/** Every evaluated image's Dice, averaged over the runs. Runs of a table list the images in one order. */
function meanDice(runs: readonly EvaluatedRun[]): number[] {
  const images = runs[0]?.images ?? [];
  return images.map(
    (_, i) => runs.reduce((sum, run) => sum + (run.images[i]?.imageDice ?? Number.NaN), 0) / runs.length,
  );
}

/** The document that `--json` prints and ablate.json holds: all but the images. */
export function ablationDocument({ runs, ...report }: AblationReport) {
  const folders = runs.map(({ key, seed, checkpoint, step, strata }) => {
    const { mDice = Number.NaN, sensitivity = Number.NaN } = strata["all"] ?? {};
    return { key, seed, checkpoint, step, mDice: finite(mDice), sensitivity: finite(sensitivity) };
  });
  return { ...report, runs: folders };
}

const COLUMNS = [
  "key",
  "name",
  "parameters",
  "linkParameters",
  "mDice",
  "mDiceSd",
  "sensitivity",
  "sensitivitySd",
  "pValue",
  "pValueT",
] as const satisfies readonly (keyof AblationRow)[];

/** The rows as CSV, numbers unrounded, the paper's beside. */
export function ablationTableCsv({ rows }: AblationReport): string {
  const paper = ["mDice", "sensitivity", "pValue"] as const;
  const header = [...COLUMNS, ...paper.map((name) => `paper ${name}`)];
  const lines = rows.map((row) => [...COLUMNS.map((name) => row[name]), ...paper.map((name) => row.paper[name])]);
  return csv([header, ...lines]);
}

/** Every image of every run as CSV. */
export function ablationImagesCsv({ runs }: AblationReport): string {
  const tables = runs.map(({ key, seed, images }, i) => {
    const [header = "", ...lines] = imageTable(images).trimEnd().split("\n");
    const named = lines.map((line) => `${key},${seed},${line}`);
    return i === 0 ? [`key,seed,${header}`, ...named] : named;
  });
  return `${tables.flat().join("\n")}\n`;
}
