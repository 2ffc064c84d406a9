import type { ImageResult, StratumResult } from "../../metrics/evaluation.ts";
import { holm } from "../../metrics/holm.ts";
import { type MeanDeviation, meanDeviation } from "../../metrics/mean-deviation.ts";
import { pairedTTest, wilcoxonSignedRank } from "../../metrics/significance.ts";
import { traceNetwork } from "../../model/zoo.ts";
import type { Cell } from "./plan.ts";
import type { RunScores } from "./score.ts";

/** Metrics of a stratum by name, over the repeats: percent, mean absolute errors as fractions. */
export type StratumSpreads = Readonly<Record<string, MeanDeviation>>;

/** How a row differs from the baseline: two-sided p-values of pairs of images, null where nothing can be said. */
export interface Comparison {
  /** Wilcoxon's signed-rank test over the images' Dice, averaged over the repeats. */
  readonly pValue: number | null;
  /** The paired t-test over the same pairs. */
  readonly pValueT: number | null;
  /** Both, corrected by Holm's method for the rows of the table. */
  readonly pValueHolm: number | null;
  readonly pValueTHolm: number | null;
  /** Mean difference of the images' Dice, in percentage points; above 0: better than the baseline. */
  readonly difference: number | null;
}

/** A row of a table. Without all its runs it has no numbers but those of the network. */
export interface StudyRow extends Comparison {
  readonly key: string;
  readonly name: string;
  readonly parameters: number;
  /** Of the decoder's links alone, as the paper's Table X counts. */
  readonly linkParameters: number;
  /** Names of the row's runs, finished or not. */
  readonly runs: readonly string[];
  /** Whether all of them are finished; where not, what follows is null or empty. */
  readonly complete: boolean;
  /** `128x128` or `native`. */
  readonly scoredAt: string | null;
  /** Every metric by stratum. */
  readonly strata: Readonly<Record<string, StratumSpreads>>;
}

const NOTHING: Comparison = {
  pValue: null,
  pValueT: null,
  pValueHolm: null,
  pValueTHolm: null,
  difference: null,
};

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/**
 * The rows of a table: one a cell, in their order. All cells have the same images. `baseline` is the key of the row that the
 * others are compared with. Runs without scores leave their row without numbers.
 */
export function studyRows(
  cells: readonly Cell[],
  scores: ReadonlyMap<string, RunScores>,
  baseline: string | undefined,
): StudyRow[] {
  const scored = cells.map((cell) => scoresOf(cell, scores));
  const against = scored[cells.findIndex(({ arm }) => arm.key === baseline)] ?? [];
  const compared = cells.map(({ arm }, i) => (arm.key === baseline ? NOTHING : compare(scored[i] ?? [], against)));
  const wilcoxon = holm(compared.map(({ pValue }) => pValue));
  const student = holm(compared.map(({ pValueT }) => pValueT));
  return cells.map((cell, i) => {
    const holms = { pValueHolm: wilcoxon[i] ?? null, pValueTHolm: student[i] ?? null };
    return { ...plainRow(cell, scored[i] ?? []), ...(compared[i] ?? NOTHING), ...holms };
  });
}

/** The scores of all runs of a cell; none unless every one has some. */
function scoresOf({ runs }: Cell, scores: ReadonlyMap<string, RunScores>): RunScores[] {
  const found = runs.flatMap(({ name }) => scores.get(name) ?? []);
  return found.length === runs.length ? found : [];
}

function plainRow({ arm, network, runs }: Cell, scores: readonly RunScores[]): StudyRow {
  const { parameters } = traceNetwork(network, { mode: "eval", batch: 1 }).build;
  const strata = Object.keys(scores[0]?.strata ?? {}).map((name) => [
    name,
    spreads(scores.flatMap((run) => run.strata[name] ?? [])),
  ]);
  return {
    key: arm.key,
    name: arm.label,
    parameters: parameters.count(),
    linkParameters: parameters.count("links."),
    runs: runs.map(({ name }) => name),
    complete: scores.length > 0,
    scoredAt: scores[0]?.scoredAt ?? null,
    strata: Object.fromEntries(strata),
    ...NOTHING,
  };
}

/** Every number of some strata, over the runs they are of. */
export function spreads(results: readonly StratumResult[]): StratumSpreads {
  const [first] = results;
  const names = Object.entries(first ?? {}).filter((entry) => typeof entry[1] === "number");
  return Object.fromEntries(
    names.map(([name]) => [name, meanDeviation(results.map((result) => Number(result[name as keyof StratumResult])))]),
  );
}

/** Compares per-image Dice, averaged over the repeats, with the baseline's. Holm's columns are the table's to fill. */
export function compare(runs: readonly RunScores[], baseline: readonly RunScores[]): Comparison {
  if (runs.length === 0 || baseline.length === 0) return NOTHING;
  const [own, other] = [meanDice(runs), meanDice(baseline)];
  const both = [...own].flatMap(([image, dice]) => {
    const pair = [dice, other.get(image) ?? Number.NaN] as const;
    return pair.every(Number.isFinite) ? [pair] : [];
  });
  const [one, two] = [both.map(([dice]) => dice), both.map(([, dice]) => dice)];
  const difference = both.reduce((sum, [a, b]) => sum + a - b, 0) / both.length;
  return {
    ...NOTHING,
    pValue: finite(wilcoxonSignedRank(one, two).pValue),
    pValueT: finite(pairedTTest(one, two).pValue),
    difference: finite(difference),
  };
}

/** Every image's Dice by its name, averaged over the runs; NaN where a run lacks the image. */
function meanDice(runs: readonly RunScores[]): Map<string, number> {
  const dice = ({ images }: RunScores) => new Map(images.map((image: ImageResult) => [image.name, image.imageDice]));
  const all = runs.map(dice);
  const names = [...(all[0]?.keys() ?? [])];
  return new Map(
    names.map((name) => [name, all.reduce((sum, of) => sum + (of.get(name) ?? Number.NaN), 0) / all.length]),
  );
}
