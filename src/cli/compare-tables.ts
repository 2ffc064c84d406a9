import { type ComparisonRow, type MeanRanks, RANKED } from "../experiment/study/comparison.ts";
import type { PaperMetric } from "../experiment/study/paper.ts";
import type { StudyData } from "../experiment/study/plan.ts";
import type { ScoredSize } from "../experiment/study/score.ts";
import type { StudyTable } from "../experiment/study/table-files.ts";
import { printLine } from "./print.ts";
import { scoringNotes } from "./study-session.ts";
import {
  METRIC_NOTES,
  metricColumn,
  printScores,
  type ScoreColumn,
  sizesOf,
  strataOf,
  stratumText,
  testColumns,
  testNote,
} from "./study-table.ts";
import { figure, mega } from "./units.ts";

/** The table of a data set. */
export type NetworkTable = StudyTable<ComparisonRow>;

/** p-values below it are marked. */
const LEVEL = 0.05;

/** The metrics in the order of the paper's tables: ours, the paper's, and how a column is called. */
const METRICS = [
  { metric: "mDice", paper: "mDice", title: "mDice" },
  { metric: "mIoU", paper: "mIoU", title: "mIoU" },
  { metric: "maeRelease", paper: "mae", title: "MAE (1e-4)", unit: 1e4, lower: true },
  { metric: "sensitivity", paper: "sensitivity", title: "sensitivity" },
  { metric: "f2", paper: "f2", title: "F2" },
] as const satisfies readonly {
  readonly metric: string;
  readonly paper: PaperMetric;
  readonly title: string;
  readonly unit?: number;
  readonly lower?: boolean;
}[];

/** A printed table a stratum: every metric, the paper's beside where it has the data set; p-values beside those of all images. */
export function comparisonTables({ rows }: NetworkTable): {
  readonly heading: string;
  readonly columns: readonly ScoreColumn<ComparisonRow>[];
}[] {
  return strataOf(rows).map((stratum) => ({
    heading: stratum === "all" ? "all images" : `images whose largest object takes ${stratumText(stratum)}`,
    columns: [
      { title: "network", cell: (row) => `${row.name}${isMarked(row) ? " †" : ""}` },
      ...(stratum === "all"
        ? [{ title: "parameters", align: "right" as const, cell: (row: ComparisonRow) => mega(row.parameters) }]
        : []),
      ...METRICS.flatMap((one) => withPaperColumn(rows, stratum, one)),
      ...(stratum === "all" ? testColumns<ComparisonRow>() : []),
    ],
  }));
}

const isMarked = ({ pValueHolm }: ComparisonRow): boolean => pValueHolm !== null && pValueHolm < LEVEL;

function withPaperColumn(
  rows: readonly ComparisonRow[],
  stratum: string,
  { metric, paper, title, ...how }: (typeof METRICS)[number],
): ScoreColumn<ComparisonRow>[] {
  const printed = (row: ComparisonRow) => row.paper?.[stratum]?.[paper];
  const own = metricColumn<ComparisonRow>(title, stratum, metric, how);
  if (!rows.some((row) => printed(row) !== undefined)) return [own];
  return [own, { title: "paper", align: "right", cell: (row) => figure(printed(row)) }];
}

interface Noted {
  readonly rows: readonly ComparisonRow[];
  readonly data: StudyData;
  readonly at: ScoredSize;
  readonly baseline: string;
  readonly repeats: number;
}

/** What is to be known of a data set's table. */
export function comparisonNotes({ rows, data, at, baseline, repeats }: Noted): string[] {
  const sizes = sizesOf(rows, at);
  return [
    ...METRIC_NOTES,
    `${repeats} ${repeats === 1 ? "run" : "runs"} of each network, split ${data.scored.split}. MAE: as the authors' tables count it, times 1e4; the lowest is the best.`,
    testNote(baseline),
    `†: differs from "${baseline}" by p (Holm) < ${LEVEL}.`,
    ...(rows.some(({ paper }) => paper !== null)
      ? ["The paper's MAE is printed as it stands there; its Table II mixes scales."]
      : []),
    ...scoringNotes(data, at, sizes),
    ...(sizes.length > 1
      ? [
          "Networks that were trained at different sizes are scored at different sizes: --at native compares them alike.",
        ]
      : []),
  ];
}

/** Prints the networks by their mean rank over the data sets. */
export function printRanks(ranks: readonly MeanRanks[], sets: number): void {
  printLine(`Mean rank over ${sets} data sets, all images (1 is the best)`);
  const columns = RANKED.map(
    ({ metric }): ScoreColumn<MeanRanks> => ({
      title: METRICS.find((one) => one.metric === metric)?.title.replace(" (1e-4)", "") ?? metric,
      align: "right",
      lower: true,
      cell: (row) => figure(row.ranks[metric]),
      score: (row) => row.ranks[metric] ?? null,
    }),
  );
  printScores([{ title: "network", cell: ({ key }) => key }, ...columns], ranks);
  printLine("");
}
