import { type Command, InvalidArgumentError } from "commander";
import { UsageError } from "../../errors.ts";
import { flagOf, type TrainConfig, type TrainFlags } from "../../experiment/settings/config.ts";
import { readConfigFile } from "../../experiment/settings/config-file.ts";
import { lossSettings, networkConfig } from "../../experiment/settings/recipe.ts";
import type { StudyResult } from "../../experiment/study/carry-out.ts";
import {
  baselineOf,
  type CommonRecipe,
  comparedNetworks,
  comparisonArms,
  foreseenRecipes,
  givenParts,
  meanRanks,
  withPaper,
} from "../../experiment/study/comparison.ts";
import { type Cell, fileName, planStudy, type Study, type StudyData } from "../../experiment/study/plan.ts";
import type { ScoredSize } from "../../experiment/study/score.ts";
import { studyRows } from "../../experiment/study/table.ts";
import { tableCsv, tableDocument, writeTable } from "../../experiment/study/table-files.ts";
import { comparisonNotes, comparisonTables, type NetworkTable, printRanks } from "../compare-tables.ts";
import { conduct } from "../conduct.ts";
import { addTrainOptions } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { addStudyOptions, requireStudyRecipe, STUDY_FIELDS, type StudyFlags } from "../study-flags.ts";
import { openStudyData, originOf, sayUnfinished } from "../study-session.ts";
import { markdownPage, markdownTable, printNotes, printScores } from "../study-table.ts";

interface CompareFlags extends StudyFlags {
  readonly models: string;
  readonly data: readonly string[];
  readonly out?: string;
  readonly weights?: ReadonlyMap<string, string>;
  readonly against?: string;
  readonly config?: string;
}

/** What a network is chosen by elsewhere, or a run of its own is. */
const DECIDED = ["data", "model", "preset", "ablation", "weights"] as const;

/** The settings that all networks have in common. */
const COMMON = STUDY_FIELDS.filter((field) => !(DECIDED as readonly string[]).includes(field));

/** `svanet compare`: networks beside each other on one or several data sets, the paper's Tables II and III. */
export function register(command: Command): void {
  command
    .requiredOption("--data <folders...>", "dataset folders, a table each")
    .option("--models <names>", "networks: paper (the eight it compares), all, or names such as unet,svanet", "paper")
    .option("--weights <network=file>", "pretrained weights of a network, repeatable", weightsOf)
    .option("--against <name>", "network that the others are tested against (default: SvANet, else the first)");
  addTrainOptions(command, COMMON, { recipe: "paper" });
  addStudyOptions(command).action(compare);
}

/** `svanet=resnet50.pth`, added to those before. */
function weightsOf(text: string, before: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const at = text.indexOf("=");
  if (at > 0 && at < text.length - 1) return new Map([...before, [text.slice(0, at), text.slice(at + 1)]]);
  throw new InvalidArgumentError("Expected a network and a file, such as svanet=resnet50.pth.");
}

async function compare(flags: CompareFlags): Promise<void> {
  const names = comparedNetworks(flags.models);
  const baseline = baselineOf(names, flags.against);
  const common = commonOf(flags, names);
  const first = checkRecipes(names, common, flags.at);
  const open = async () => {
    const blocks: { data: StudyData; arms: ReturnType<typeof comparisonArms> }[] = [];
    for (const folder of flags.data) {
      const data = await openStudyData(folder, first, flags);
      blocks.push({ data, arms: comparisonArms(names, common, data.dataset) });
    }
    return { study: planStudy({ blocks, repeats: flags.repeats, out: first.out }) };
  };
  await conduct({
    config: first,
    flags,
    recipes: foreseenRecipes(names, common),
    open,
    tables: ({ study }) =>
      bySet(study).map(({ data, cells }) => ({ title: `${names.length} networks on ${data.name}`, cells })),
    finish: ({ study }, result) => finish(study, { result, flags, baseline, out: first.out }),
  });
}

function commonOf(flags: CompareFlags, names: readonly string[]): CommonRecipe {
  const { weights = new Map<string, string>() } = flags;
  const stray = [...weights.keys()].find((name) => !names.includes(name));
  if (stray !== undefined) {
    throw new UsageError(`--weights ${stray}=...: it is not among the compared networks (${names.join(", ")})`);
  }
  const own: TrainFlags = Object.fromEntries(COMMON.map((field) => [field, flags[field]]));
  const file = flags.config === undefined ? undefined : readConfigFile(flags.config);
  return { flags: { ...own, data: flags.data[0] ?? "", out: flags.out }, file, weights };
}

/** Says what does not fit together before a file is read, and which networks a part applies to. Returns the first recipe. */
function checkRecipes(names: readonly string[], common: CommonRecipe, at: ScoredSize): TrainConfig {
  const parts = givenParts(names, common);
  const recipes = foreseenRecipes(names, common);
  for (const recipe of recipes) {
    requireStudyRecipe(recipe, at);
    lossSettings(recipe, networkConfig(recipe, recipe.classes ?? 2));
  }
  for (const { field, value, networks } of parts) {
    if (networks.length === names.length) continue;
    note(`${flagOf(field)} ${value}: for ${networks.join(", ")}; the other networks have no such part`);
  }
  const [first] = recipes;
  if (first === undefined) throw new Error("a comparison has a network");
  return first;
}

/** The cells of each data set. */
function bySet({ cells }: Study): { readonly data: StudyData; readonly cells: readonly Cell[] }[] {
  const sets = [...new Set(cells.map(({ data }) => data))];
  return sets.map((data) => ({ data, cells: cells.filter((cell) => cell.data === data) }));
}

interface Carried {
  readonly result: StudyResult;
  readonly flags: CompareFlags;
  readonly baseline: string;
  readonly out: string;
}

/** Writes and prints a table for each data set, and the mean ranks over several. */
function finish(study: Study, carried: Carried): void {
  const { flags, result, out } = carried;
  const made = bySet(study).map(({ data, cells }) => scoredTable(data, cells, carried));
  const written = made.map((scored) => {
    const tables = comparisonTables(scored.table);
    const { title, notes, rows } = scored.table;
    const parts = tables.map(({ heading, columns }) => `## ${heading}\n\n${markdownTable(columns, rows)}`);
    const csv = tableCsv(scored.table, ({ key }) => flatPaper(rows.find((row) => row.key === key)?.paper ?? null));
    const name = writeTable(out, scored, { csv, markdown: markdownPage(title, parts, notes) });
    if (flags.json) return name;
    for (const { heading, columns } of tables) {
      printLine(`${title}, ${heading}`);
      printScores(columns, rows);
      printLine("");
    }
    return name;
  });
  const ranks = meanRanks(made.map(({ table }) => table.rows));
  const several = made.length > 1;
  if (flags.json) {
    printJson({ tables: made.map(tableDocument), ...(several ? { meanRanks: ranks } : {}) });
  } else {
    if (several) printRanks(ranks, made.length);
    printNotes([...new Set(made.flatMap(({ table }) => table.notes))]);
  }
  note(`written: ${out} (${written.join(", ")}: .json, .csv, .md, -images.csv; runs/)`);
  sayUnfinished(result);
}

/** The paper's figures under the names of the CSV's columns. */
const flatPaper = (paper: NetworkTable["rows"][number]["paper"]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(paper ?? {}).flatMap(([stratum, values]) =>
      Object.entries(values).map(([metric, value]) => [`${metric} ${stratum}`, value]),
    ),
  );

function scoredTable(data: StudyData, cells: readonly Cell[], { result, flags, baseline }: Carried) {
  const rows = withPaper(studyRows(cells, result.scores, baseline), data.name);
  const names = new Set(rows.flatMap(({ runs }) => runs));
  const table: NetworkTable = {
    table: `compare-${fileName(data.name)}`,
    title: `Networks on ${data.name}`,
    ...originOf(data, flags),
    baseline,
    rows,
    notes: comparisonNotes({ rows, data, at: flags.at, baseline, repeats: flags.repeats }),
    unfinished: result.unfinished.filter(({ run }) => names.has(run)),
  };
  return { table, scores: [...names].flatMap((name) => result.scores.get(name) ?? []) };
}
