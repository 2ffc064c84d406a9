import { join } from "node:path";
import { type Command, Option } from "commander";
import { pixelStatistics } from "../../data/dataset/check-dataset.ts";
import { SPLIT_NAMES, type SplitName } from "../../data/dataset/dataset.ts";
import { UsageError } from "../../errors.ts";
import { runAblation } from "../../experiment/ablate/ablate.ts";
import {
  type AblationReport,
  type AblationRow,
  ablationDocument,
  ablationImagesCsv,
  ablationTableCsv,
} from "../../experiment/ablate/ablate-report.ts";
import { ABLATION_TABLES, type AblationTable, ablationTable } from "../../experiment/ablate/ablate-tables.ts";
import { TRAIN_FIELDS, type TrainConfig } from "../../experiment/settings/config.ts";
import { lossSettings, networkConfig, precisionOf, repeatOf, windowOf } from "../../experiment/settings/recipe.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import { requireFit } from "../../training/fit.ts";
import { wholeNumber } from "../arguments.ts";
import { addTrainOptions, trainConfigFrom } from "../options.ts";
import { type Column, note, printJson, printLine, printTable } from "../print.ts";
import { openChecked, withDevice } from "../session.ts";
import { exitCodeOf, stoppable } from "../signals.ts";
import { figure, mega } from "../units.ts";
import { watchTraining } from "../watch-training.ts";
import { trainingSplits } from "./train.ts";

interface AblateFlags extends Readonly<Record<string, unknown>> {
  readonly repeats: number;
  readonly split: SplitName;
  readonly json?: true;
}

/** `svanet ablate`: a table of the paper's ablations on one's own data. */
export function register(command: Command): void {
  command.argument("<table>", `one of ${ABLATION_TABLES.join(", ")}; also as 6 or VI`);
  addTrainOptions(
    command,
    TRAIN_FIELDS.filter((field) => field !== "ablation" && field !== "resume"),
    { recipe: "paper" },
  )
    .option("--repeats <n>", "runs of each configuration, seeds one apart", wholeNumber(1), 3)
    .addOption(new Option("--split <name>", "split to evaluate").choices(SPLIT_NAMES).default("val"))
    .option("--json", "print the table as JSON")
    .action(ablate);
}

async function ablate(name: string, flags: AblateFlags): Promise<void> {
  const table = ablationTable(name);
  const config = configOf(flags);
  const { repeats, split } = flags;
  requireWritableFolder(config.out, `--out ${config.out}`);
  // What does not fit together is said before every file is read.
  const foreseen = networkConfig(config, config.classes ?? 2);
  lossSettings(config, foreseen);
  const { report, signal } = await withDevice(config.adapter, precisionOf(config), async (device) => {
    const work = { batch: config.batchSize, repeat: repeatOf(config), precision: precisionOf(config) };
    requireFit(foreseen, { kind: "training", ...work }, device.room);
    const dataset = await openChecked(config.data, [...new Set([...trainingSplits(config.data), split])], {
      window: windowOf(config),
      believed: config.classes ?? 0,
    });
    const statistics = pixelStatistics(dataset);
    const observer = watchTraining();
    try {
      return await stoppable(async (stop) => {
        const stopped = () => stop.signal !== null;
        const input = { table, config, repeats, split, dataset, statistics, device, observer, stopped };
        return { report: await runAblation(input), signal: stop.signal };
      });
    } finally {
      observer.stop();
    }
  });
  if (report === null) {
    note("stopped; the same command goes on where it was");
    process.exitCode = signal === null ? 1 : exitCodeOf(signal);
    return;
  }
  writeFiles(config.out, report);
  if (flags.json) printJson(ablationDocument(report));
  else print(report, table);
  note(`written: ${config.out} (ablate.json, ablate.csv, images.csv, run folders)`);
}

/** The recipe of every run, the paper's where nothing else is said. What differs between them cannot also be given. */
function configOf(flags: AblateFlags): TrainConfig {
  const config = trainConfigFrom(flags, { recipe: "paper" });
  if (config.ablation !== null) {
    throw new UsageError(
      `ablation: ${config.ablation} in the --config file: the table decides the variants; leave it out`,
    );
  }
  if (config.recipe === "auto" || config.patches > 0) {
    throw new UsageError(
      "ablation tables compare networks at one trained size: leave out --recipe auto and --patches (of a --config file: patches)",
    );
  }
  return config;
}

function writeFiles(folder: string, report: AblationReport): void {
  makeFolder(folder);
  writeFileAtomic(join(folder, "ablate.json"), `${JSON.stringify(ablationDocument(report), null, 2)}\n`);
  writeFileAtomic(join(folder, "ablate.csv"), ablationTableCsv(report));
  writeFileAtomic(join(folder, "images.csv"), ablationImagesCsv(report));
}

function print(report: AblationReport, table: AblationTable): void {
  const { rows, repeats, split, title } = report;
  printLine(`${title} (${repeats} ${repeats === 1 ? "run" : "runs"} each, split ${split})`);
  printTable(columnsOf(table), rows);
  note(
    "mDice, sensitivity: percent, pooled pixels per class, classes weighted by the images they occur in, background included;",
  );
  note(
    "mean and standard deviation over the runs. p: against the first row, two-sided Wilcoxon signed-rank test (t: paired",
  );
  note("t-test) on the images' own Dice, averaged over the runs.");
  if (table.name !== "svattn") note(`the paper's figures are of SpermHealth, ours of ${report.data}`);
  note(
    `Scored at ${report.scoredAt}, the trained size, as the paper does; svanet eval scores a run at its images' own size.`,
  );
  if (report.note !== undefined) note(`paper: ${report.note}`);
}

function columnsOf({ name, variants }: AblationTable): Column<AblationRow>[] {
  const right = (title: string, cell: (row: AblationRow) => string): Column<AblationRow> => ({
    title,
    align: "right",
    cell,
  });
  const columns: Column<AblationRow>[] = [
    { title: "configuration", cell: (row) => row.name },
    right("parameters", (row) => mega(row.parameters)),
    ...(name === "table10" ? [right("of the links", (row) => mega(row.linkParameters))] : []),
    right("mDice", (row) => withSpread(row.mDice, row.mDiceSd)),
    right("sensitivity", (row) => withSpread(row.sensitivity, row.sensitivitySd)),
    right("p", (row) => probability(row.pValue)),
    right("p (t)", (row) => probability(row.pValueT)),
  ];
  const inPaper = (key: "mDice" | "sensitivity" | "pValue" | "parametersM") =>
    variants.some(({ paper }) => typeof paper[key] === "number");
  if (inPaper("parametersM"))
    columns.push(
      right("paper: links", ({ paper }) => (paper.parametersM == null ? "-" : `${figure(paper.parametersM)} M`)),
    );
  if (inPaper("mDice")) columns.push(right("paper: mDice", ({ paper }) => figure(paper.mDice)));
  if (inPaper("sensitivity")) columns.push(right("paper: sensitivity", ({ paper }) => figure(paper.sensitivity)));
  if (inPaper("pValue")) columns.push(right("paper: p", ({ paper }) => probability(paper.pValue ?? null)));
  return columns;
}

function withSpread(mean: number | null, sd: number | null): string {
  return sd === null ? figure(mean) : `${figure(mean)} ± ${figure(sd)}`;
}

function probability(value: number | null): string {
  if (value === null) return "-";
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}
