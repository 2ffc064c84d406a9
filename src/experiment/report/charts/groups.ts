import type { ReportData, ReportRun, RunEvaluation } from "../data.ts";

/** A run with its evaluation. */
export type EvaluatedRun = ReportRun & { readonly evaluation: RunEvaluation };

/** The groups of a report in the order of their first runs: every chart gives them the same colours. */
export const groupsOf = ({ runs }: Pick<ReportData, "runs">): string[] => [...new Set(runs.map(({ group }) => group))];

/** The data sets that something was evaluated on, in the order of the runs. */
export const setsOf = ({ runs }: Pick<ReportData, "runs">): string[] => [
  ...new Set(runs.flatMap(({ evaluation, roc }) => [evaluation, roc].flatMap((one) => one?.set ?? []))),
];

/** The evaluated runs of a data set by group. */
export function evaluatedRuns({ runs }: Pick<ReportData, "runs">, set: string): Map<string, EvaluatedRun[]> {
  const found = new Map<string, EvaluatedRun[]>();
  for (const run of runs) {
    if (run.evaluation?.set !== set) continue;
    found.set(run.group, [...(found.get(run.group) ?? []), run as EvaluatedRun]);
  }
  return found;
}

/** What was scored, in words: `cells, split val, at 64x64`. Several where the runs were not scored alike. */
export function scoredText(runs: Iterable<Pick<RunEvaluation, "set" | "split" | "scoredAt">>): string {
  const texts = [...runs].map(
    ({ set, split, scoredAt }) =>
      `${set}, split ${split}, ${scoredAt === "native" ? "at the images' own size" : `at ${scoredAt}`}`,
  );
  return [...new Set(texts)].join("; ");
}

/** Images with their Dice, percent, averaged over runs that scored them. */
export interface ImageScore {
  /** Its place in the report's list. */
  readonly image: number;
  readonly dice: number;
}

/** The images of some runs, worst first; those without a score are left out. */
export function imageScores(runs: readonly EvaluatedRun[]): ImageScore[] {
  const sums = new Map<number, { sum: number; count: number }>();
  for (const { evaluation } of runs) {
    for (const [i, image] of evaluation.images.entries()) {
      const dice = evaluation.dice[i];
      if (dice === null || dice === undefined) continue;
      const { sum = 0, count = 0 } = sums.get(image) ?? {};
      sums.set(image, { sum: sum + dice, count: count + 1 });
    }
  }
  const scores = [...sums].map(([image, { sum, count }]) => ({ image, dice: sum / count }));
  return scores.sort((a, b) => a.dice - b.dice || a.image - b.image);
}
