import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { pixelStatistics } from "../../data/dataset/check-dataset.ts";
import type { SplitName } from "../../data/dataset/dataset.ts";
import { UsageError } from "../../errors.ts";
import type { TrainConfig } from "../../experiment/settings/config.ts";
import { lossSettings, networkConfig, networkName, plannedFlags, windowOf } from "../../experiment/settings/recipe.ts";
import type { StudyResult } from "../../experiment/study/carry-out.ts";
import { FOLD_SUMMARIES, foldRows } from "../../experiment/study/fold-table.ts";
import { foldData } from "../../experiment/study/folds.ts";
import { fileName, planStudy, type Study, type StudyData } from "../../experiment/study/plan.ts";
import type { StudyRow } from "../../experiment/study/table.ts";
import { type StudyTable, tableCsv, tableDocument, writeTable } from "../../experiment/study/table-files.ts";
import { wholeNumber } from "../arguments.ts";
import { conduct } from "../conduct.ts";
import { addTrainOptions, trainConfigFrom } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { openChecked } from "../session.ts";
import { addStudyOptions, requireStudyRecipe, STUDY_FIELDS, type StudyFlags } from "../study-flags.ts";
import { sayUnfinished, scoringNotes } from "../study-session.ts";
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
} from "../study-table.ts";

interface CvFlags extends StudyFlags {
  readonly folds: number;
  readonly select?: "last" | "val";
}

/** `svanet cv`: cross-validation of one network. */
export function register(command: Command): void {
  command.option("--folds <n>", "parts that the images of train and val are shared out to", wholeNumber(2), 5);
  addTrainOptions(command, STUDY_FIELDS, { seed: "0; it also decides who goes to which fold" });
  addStudyOptions(command, { repeats: 1, split: false }).action(crossValidate);
}

async function crossValidate(flags: CvFlags): Promise<void> {
  const config = trainConfigFrom(flags);
  requireStudyRecipe(config, flags.at);
  const foreseen = networkConfig(config, config.classes ?? 2);
  lossSettings(config, foreseen);
  const { select = "last" } = flags;
  if (config.patience !== null && select === "last") {
    throw new UsageError(
      `--patience ${config.patience}: without --select val nothing judges a fold's run; leave it out`,
    );
  }
  await conduct({
    config,
    flags,
    recipes: [config],
    open: () => planned(config, flags),
    tables: ({ study }) => [{ title: `${flags.folds} folds`, cells: study.cells }],
    finish: ({ study, first }, result) => finish(study, { first, result, config, flags }),
  });
}

/** The plan of all folds, and the data of the first. Says what the folds go by. */
async function planned(config: TrainConfig, flags: CvFlags): Promise<{ study: Study; first: StudyData }> {
  const splits: SplitName[] = existsSync(join(config.data, "val")) ? ["train", "val"] : ["train"];
  const dataset = await openChecked(config.data, splits, { window: windowOf(config), believed: config.classes ?? 0 });
  const { folds: count, select = "last", repeats } = flags;
  const input = { dataset, statistics: pixelStatistics(dataset), folds: count, seed: config.seed, select };
  const { folds, shared } = foldData(input);
  note(
    `${count} folds of ${shared.folds.map(({ length }) => length).join(", ")} images from ${splits.join(" and ")}, ${shared.groups} groups; ` +
      `${shared.alone} images have no name or volume that tells a patient, and stand alone`,
  );
  const own = trainConfigFrom(flags, plannedFlags(config, dataset));
  const arms = [{ key: "cv", label: own.ablation ?? networkName(own), config: own }];
  const study = planStudy({ blocks: folds.map((data) => ({ data, arms })), repeats, out: config.out });
  const [first] = folds;
  if (first === undefined) throw new Error("there are at least two folds");
  return { study, first };
}

interface Carried {
  readonly first: StudyData;
  readonly result: StudyResult;
  readonly config: TrainConfig;
  readonly flags: CvFlags;
}

function finish(study: Study, { first, result, config, flags }: Carried): void {
  const rows = foldRows(study.cells, result.scores);
  const label = study.cells[0]?.arm.label ?? "";
  const table: StudyTable = {
    table: `cv-${fileName(first.name)}`,
    title: `${label}, ${flags.folds}-fold cross-validation on ${first.name}`,
    data: first.dataset.folder,
    dataset: first.name,
    split: "folds",
    select: first.select,
    at: flags.at,
    repeats: flags.repeats,
    baseline: null,
    rows,
    notes: [
      ...METRIC_NOTES,
      "Each fold is scored by the network that was trained on the others. All images together: pixels pooled over the folds. Mean of the folds: mean and standard deviation over them.",
      "Images are normalised by the mean and deviation of the whole of train, the held fold's pixels included, its masks not.",
      ...scoringNotes(first, flags.at, sizesOf(rows, flags.at)),
    ],
    unfinished: result.unfinished,
  };
  const scored = { table, scores: study.runs.flatMap(({ name }) => result.scores.get(name) ?? []) };
  const columns = columnsOf(rows);
  const markdown = markdownPage(table.title, [markdownTable(columns, rows)], table.notes);
  const name = writeTable(config.out, scored, { csv: tableCsv(table, () => ({})), markdown });
  if (flags.json) {
    printJson(tableDocument(scored));
  } else {
    printLine(table.title);
    printScores(columns, rows);
    printNotes(table.notes);
  }
  note(`written: ${config.out} (${name}: .json, .csv, .md, -images.csv with every image once a repeat; runs/)`);
  sayUnfinished(result);
}

/** No fold is marked as the best: they are of different images. */
function columnsOf(rows: readonly StudyRow[]): ScoreColumn<StudyRow>[] {
  const plain = (title: string, stratum: string, metric: string): ScoreColumn<StudyRow> => {
    const { cell } = metricColumn<StudyRow>(title, stratum, metric);
    return { title, align: "right", cell };
  };
  const { mean, pooled } = FOLD_SUMMARIES;
  const images = ({ key, strata }: StudyRow) => {
    const own = key === mean || key === pooled ? null : strata["all"]?.["images"]?.mean;
    return own === null || own === undefined ? "" : String(own);
  };
  return [
    { title: "fold", cell: ({ name }) => name },
    { title: "images", align: "right", cell: images },
    ...strataOf(rows).map((stratum) => plain(`mDice ${stratumText(stratum)}`, stratum, "mDice")),
    plain("mIoU", "all", "mIoU"),
    plain("sensitivity", "all", "sensitivity"),
    plain("F2", "all", "f2"),
    plain("foreground Dice", "all", "foregroundDice"),
  ];
}
