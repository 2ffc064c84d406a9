import { UsageError } from "../../errors.ts";
import type { TrainConfig } from "../../experiment/settings/config.ts";
import { lossSettings, networkConfig } from "../../experiment/settings/recipe.ts";
import type { StudyResult } from "../../experiment/study/carry-out.ts";
import { gridArms, gridPoints, type Point, randomPoints } from "../../experiment/study/grid.ts";
import { type Arm, planStudy, type Study, type StudyData } from "../../experiment/study/plan.ts";
import { type StudyRow, studyRows } from "../../experiment/study/table.ts";
import { type StudyTable, tableCsv, tableDocument, writeTable } from "../../experiment/study/table-files.ts";
import { conduct } from "../conduct.ts";
import { axesOf } from "../grid-flags.ts";
import { trainConfigFrom } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { requireStudyRecipe, type StudyFlags } from "../study-flags.ts";
import { openStudyData, originOf, sayUnfinished, scoringNotes } from "../study-session.ts";
import {
  METRIC_NOTES,
  markdownPage,
  markdownTable,
  metricColumn,
  printNotes,
  printScores,
  type ScoreColumn,
  sizesOf,
  strataOf,
  stratumText,
  tableHeading,
  testColumns,
  testNote,
} from "../study-table.ts";
import { mega } from "../units.ts";

/** The flags of a grid beside those of every study. */
export interface GridFlags extends StudyFlags {
  readonly grid?: readonly string[];
  readonly random?: number;
}

/** `svanet ablate --grid`: combinations of settings beside each other. */
export async function ablateGrid(flags: GridFlags): Promise<void> {
  const axes = axesOf(flags.grid ?? [], flags);
  // A setting that is varied needs no value beside; the paper's recipe is that of `ablate`.
  const config = trainConfigFrom(flags, { recipe: "paper" });
  const points = flags.random === undefined ? gridPoints(axes) : randomPoints(axes, flags.random, config.seed);
  const arms = gridArms(points, (point) => recipeOf(flags, point));
  await conduct({
    config,
    flags,
    recipes: [config],
    open: async () => {
      const data = await openStudyData(config.data, config, flags);
      return { data, study: planStudy({ blocks: [{ data, arms }], repeats: flags.repeats, out: config.out }) };
    },
    tables: ({ study }) => [{ title: titleOf(flags), cells: study.cells }],
    finish: ({ data, study }, result) => finish(study, { data, result, config, flags, arms }),
  });
}

/** The whole recipe of a point, checked before a file is read. */
function recipeOf(flags: GridFlags, point: Point): TrainConfig {
  try {
    const config = trainConfigFrom({ ...flags, ...point }, { recipe: "paper" });
    requireStudyRecipe(config, flags.at);
    lossSettings(config, networkConfig(config, config.classes ?? 2));
    return config;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`--grid ${(flags.grid ?? []).join(" --grid ")}: ${error.message}`, { cause: error });
  }
}

const titleOf = ({ grid = [], random }: GridFlags): string =>
  `${random === undefined ? "Grid" : `${random} draws`} of ${grid.join(" and ")}`;

interface Carried {
  readonly data: StudyData;
  readonly result: StudyResult;
  readonly config: TrainConfig;
  readonly flags: GridFlags;
  readonly arms: readonly Arm[];
}

function finish(study: Study, { data, result, config, flags, arms }: Carried): void {
  const baseline = arms[0]?.key ?? "";
  const rows = studyRows(study.cells, result.scores, baseline);
  const table: StudyTable = {
    table: flags.random === undefined ? "grid" : "random",
    title: titleOf(flags),
    ...originOf(data, flags),
    baseline,
    rows,
    notes: [
      ...METRIC_NOTES,
      testNote(baseline),
      "The best of many settings is better here than it will be elsewhere: it was chosen on these images.",
      ...scoringNotes(data, flags.at, sizesOf(rows, flags.at)),
    ],
    unfinished: result.unfinished,
  };
  const scored = { table, scores: study.runs.flatMap(({ name }) => result.scores.get(name) ?? []) };
  const columns: ScoreColumn<StudyRow>[] = [
    { title: "settings", cell: ({ name }) => name },
    { title: "parameters", align: "right", cell: ({ parameters }) => mega(parameters) },
    ...strataOf(rows).map((stratum) => metricColumn<StudyRow>(`mDice ${stratumText(stratum)}`, stratum, "mDice")),
    metricColumn<StudyRow>("foreground Dice", "all", "foregroundDice"),
    metricColumn<StudyRow>("sensitivity", "all", "sensitivity"),
    ...testColumns<StudyRow>(),
  ];
  const markdown = markdownPage(table.title, [markdownTable(columns, rows)], table.notes);
  const name = writeTable(config.out, scored, { csv: tableCsv(table, () => ({})), markdown });
  if (flags.json) {
    printJson(tableDocument(scored));
  } else {
    printLine(tableHeading(table));
    printScores(columns, rows);
    printNotes(table.notes);
  }
  note(`written: ${config.out} (${name}: .json, .csv, .md, -images.csv; runs/)`);
  sayUnfinished(result);
}
