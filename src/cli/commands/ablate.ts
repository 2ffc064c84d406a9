import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import type { TrainConfig } from "../../experiment/settings/config.ts";
import { lossSettings, networkConfig, precisionOf, repeatOf } from "../../experiment/settings/recipe.ts";
import { ablationArms, cellsOf, requireFreeParts } from "../../experiment/study/ablation.ts";
import {
  ABLATION_TABLES,
  type AblationTable,
  ablationTables,
  withRows,
} from "../../experiment/study/ablation-tables.ts";
import type { StudyResult } from "../../experiment/study/carry-out.ts";
import type { PaperAblation } from "../../experiment/study/paper.ts";
import { type Cell, planStudy, type Study, type StudyData } from "../../experiment/study/plan.ts";
import { type StudyRow, studyRows } from "../../experiment/study/table.ts";
import { type ScoredTable, tableCsv, tableDocument, writeTable } from "../../experiment/study/table-files.ts";
import { requireFit } from "../../training/fit.ts";
import { countsArgument } from "../arguments.ts";
import { conduct } from "../conduct.ts";
import { addGridOptions } from "../grid-flags.ts";
import { addTrainOptions, fieldNamer, trainConfigFrom } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { addStudyOptions, requireStudyRecipe, STUDY_FIELDS, type StudyFlags } from "../study-flags.ts";
import { openStudyData, originOf, sayUnfinished, scoringNotes } from "../study-session.ts";
import {
  METRIC_NOTES,
  markdownPage,
  markdownTable,
  metricColumn,
  printNotes,
  printScores,
  probability,
  type ScoreColumn,
  sizesOf,
  strataOf,
  stratumText,
  tableHeading,
  testColumns,
  testNote,
} from "../study-table.ts";
import { figure, mega } from "../units.ts";
import { ablateGrid, type GridFlags } from "./ablate-grid.ts";

/** A row with the paper's figures. */
interface AblationRow extends StudyRow {
  readonly paper: PaperAblation;
}

/** `svanet ablate`: the paper's ablation tables on one's own data. */
export function register(command: Command): void {
  command.argument("[tables...]", `some of ${ABLATION_TABLES.join(", ")}, also as 6 or VI; or all`);
  command.option("--rows <list>", "of one table only these rows, counted from 1: 1,4,6 (default: all)", countsArgument);
  addGridOptions(command);
  const fields = STUDY_FIELDS.filter((field) => field !== "ablation");
  addTrainOptions(command, fields, { recipe: "paper" });
  addStudyOptions(command).action(ablate);
}

interface AblateFlags extends GridFlags {
  readonly rows?: readonly number[];
}

async function ablate(words: readonly string[], flags: AblateFlags): Promise<void> {
  const isGrid = flags.grid !== undefined;
  if (flags.random !== undefined && !isGrid) throw new UsageError("--random: name what is varied with --grid");
  if (isGrid && words.length > 0)
    throw new UsageError(`--grid: leave ${words.join(" ")} out; a grid is a table of its own`);
  if (isGrid && flags.rows) throw new UsageError("--rows: a grid has rows of its own; leave one of the two out");
  if (isGrid) return ablateGrid(flags);
  if (words.length === 0) {
    throw new UsageError(`name a table (${ABLATION_TABLES.join(", ")}), all, or settings to vary with --grid`);
  }
  const tables = chosenTables(words, flags);
  // The recipe of every run, the paper's where nothing else is said. What does not fit together is said before a file is read.
  const config = trainConfigFrom(flags, { recipe: "paper" });
  requireStudyRecipe(config, flags.at);
  requireFreeParts(tables, config, fieldNamer(flags));
  const foreseen = networkConfig(config, config.classes ?? 2);
  lossSettings(config, foreseen);
  const arms = ablationArms(tables, config);
  await conduct({
    config,
    flags,
    recipes: [config],
    requireFit: (device) => {
      const work = { batch: config.batchSize, repeat: repeatOf(config), precision: precisionOf(config) };
      requireFit(foreseen, { kind: "training", ...work }, device.room);
    },
    open: async () => {
      const data = await openStudyData(config.data, config, flags);
      return { data, study: planStudy({ blocks: [{ data, arms }], repeats: flags.repeats, out: config.out }) };
    },
    tables: ({ study }) => tables.map((table) => ({ title: table.title, cells: cellsOf(table, study.cells) })),
    finish: (planned, result) => finish(tables, { ...planned, result, config, flags }),
  });
}

/** The tables of these words; of one table, the rows that were asked for. */
function chosenTables(words: readonly string[], { rows }: AblateFlags): AblationTable[] {
  const tables = ablationTables(words);
  if (!rows) return tables;
  const [table, ...more] = tables;
  if (table === undefined || more.length > 0) {
    throw new UsageError(`--rows ${rows.join(",")}: rows are chosen of one table, not of ${tables.length}`);
  }
  return [withRows(table, rows)];
}

interface Carried {
  readonly data: StudyData;
  readonly study: Study;
  readonly result: StudyResult;
  readonly config: TrainConfig;
  readonly flags: StudyFlags;
}

/** Writes and prints every table. */
function finish(tables: readonly AblationTable[], carried: Carried): void {
  const { result, study, config, flags } = carried;
  const made = tables.map((table) => ({ table, scored: scoredTable(table, cellsOf(table, study.cells), carried) }));
  const written = made.map(({ table, scored }) => {
    const columns = columnsOf(table, scored.table.rows);
    const { title, rows, notes } = scored.table;
    const markdown = markdownPage(title, [markdownTable(columns, rows)], notes);
    const csv = tableCsv(scored.table, (row) => ({ ...rows.find(({ key }) => key === row.key)?.paper }));
    const name = writeTable(config.out, scored, { csv, markdown });
    if (!flags.json) {
      printLine(tableHeading(scored.table));
      printScores(columns, rows);
      printLine("");
    }
    return name;
  });
  if (!flags.json) printNotes([...new Set(made.flatMap(({ scored }) => scored.table.notes))]);
  const documents = made.map(({ scored }) => tableDocument(scored));
  if (flags.json) printJson(documents.length === 1 ? documents[0] : documents);
  note(`written: ${config.out} (${written.join(", ")}: .json, .csv, .md, -images.csv; runs/)`);
  sayUnfinished(result);
}

function scoredTable(table: AblationTable, cells: readonly Cell[], carried: Carried): ScoredTable<AblationRow> {
  const { data, result, flags } = carried;
  const [first] = table.variants;
  const papers = new Map(table.variants.map(({ key, paper }) => [key as string, paper]));
  const rows = studyRows(cells, result.scores, first?.key).map((row) => ({ ...row, paper: papers.get(row.key) ?? {} }));
  const names = new Set(rows.flatMap(({ runs }) => runs));
  const notes = [
    ...METRIC_NOTES,
    testNote(first?.label ?? ""),
    ...(table.name === "svattn" ? [] : [`The paper's figures are of SpermHealth, ours of ${data.name}.`]),
    ...scoringNotes(data, flags.at, sizesOf(rows, flags.at)),
    ...(table.note === undefined ? [] : [`Paper: ${table.note}`]),
  ];
  return {
    table: {
      table: table.name,
      title: table.title,
      ...originOf(data, flags),
      baseline: first?.key ?? null,
      rows,
      notes,
      unfinished: result.unfinished.filter(({ run }) => names.has(run)),
    },
    scores: [...names].flatMap((name) => result.scores.get(name) ?? []),
  };
}

function columnsOf({ name }: AblationTable, rows: readonly AblationRow[]): ScoreColumn<AblationRow>[] {
  const right = (title: string, cell: (row: AblationRow) => string): ScoreColumn<AblationRow> => ({
    title,
    align: "right",
    cell,
  });
  const inPaper = (key: keyof PaperAblation) => rows.some(({ paper }) => typeof paper[key] === "number");
  const links = ({ paper }: AblationRow) => (paper.parametersM == null ? "-" : `${figure(paper.parametersM)} M`);
  return [
    { title: "configuration", cell: (row) => row.name },
    right("parameters", (row) => mega(row.parameters)),
    ...(name === "table10" ? [right("of the links", (row) => mega(row.linkParameters))] : []),
    ...(inPaper("parametersM") ? [right("paper: links", links)] : []),
    ...strataOf(rows).map((stratum) => metricColumn<AblationRow>(`mDice ${stratumText(stratum)}`, stratum, "mDice")),
    metricColumn<AblationRow>("sensitivity", "all", "sensitivity"),
    ...testColumns<AblationRow>(),
    ...(inPaper("mDice") ? [right("paper: mDice", ({ paper }) => figure(paper.mDice))] : []),
    ...(inPaper("sensitivity") ? [right("paper: sensitivity", ({ paper }) => figure(paper.sensitivity))] : []),
    ...(inPaper("pValue") ? [right("paper: p", ({ paper }) => probability(paper.pValue))] : []),
  ];
}
