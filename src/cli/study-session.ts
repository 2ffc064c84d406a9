import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CheckedDataset, pixelStatistics } from "../data/dataset/check-dataset.ts";
import { SPLIT_NAMES, type SplitName } from "../data/dataset/dataset.ts";
import { UsageError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { windowOf } from "../experiment/settings/recipe.ts";
import type { StudyResult } from "../experiment/study/carry-out.ts";
import { judgedBy, judgedByTest, type Selection, type StudyData } from "../experiment/study/plan.ts";
import type { ScoredSize } from "../experiment/study/score.ts";
import { unjudgeable } from "../experiment/train/validation.ts";
import { note } from "./print.ts";
import { openChecked } from "./session.ts";
import type { StudyFlags } from "./study-flags.ts";

type Choice = Pick<StudyFlags, "split" | "select">;

/** Opens a data set for a study: what is trained on, which split is scored and which checkpoint, and says what was chosen. */
export async function openStudyData(folder: string, config: TrainConfig, flags: Choice): Promise<StudyData> {
  const present = SPLIT_NAMES.filter((name) => existsSync(join(folder, name)));
  const split = flags.split ?? splitOf(folder, present);
  if (flags.select !== undefined && flags.select !== "last" && !present.includes(flags.select)) {
    throw new UsageError(`--select ${flags.select}: ${folder} has no split ${flags.select}; use --select last`);
  }
  const judge: SplitName[] = flags.select === "test" ? ["test"] : present.filter((name) => name === "val");
  const dataset = await openChecked(folder, [...new Set<SplitName>(["train", ...judge, split])], {
    window: windowOf(config),
    believed: config.classes ?? 0,
  });
  const samples = dataset.splits[split] ?? [];
  const statistics = pixelStatistics(dataset);
  const select = flags.select ?? selectionOf(dataset);
  const data: StudyData = {
    name: dataset.name,
    dataset: judgedBy(dataset, "val"),
    statistics,
    scored: { split, samples },
    select,
  };
  if (flags.split === undefined || flags.select === undefined) {
    note(`${folder}: scored on ${split}, ${SELECT_TEXT[select]} (--split, --select)`);
  }
  return select === "test" ? judgedByTest({ ...data, dataset }) : data;
}

/** Where a table's figures come from. */
export const originOf = ({ dataset, name, scored, select }: StudyData, { at, repeats }: StudyFlags) => ({
  ...{ data: dataset.folder, dataset: name, split: scored.split },
  ...{ select, at, repeats },
});

/** The words for a choice of checkpoint. */
export const SELECT_TEXT: Readonly<Record<Selection, string>> = {
  last: "the last checkpoint of each run",
  val: "the checkpoint of each run that was best on val",
  test: "the checkpoint of each run that was best on test",
};

function splitOf(folder: string, present: readonly SplitName[]): SplitName {
  const found = (["val", "test"] as const).find((name) => present.includes(name));
  if (found !== undefined) return found;
  throw new UsageError(`${folder} has neither val nor test to score: add one, or say --split train`);
}

/** The best on val, unless val cannot tell. */
const selectionOf = (dataset: CheckedDataset): Selection => (unjudgeable(dataset) === undefined ? "val" : "last");

/** Sentences for below a table: at what, on what and by which checkpoint was scored. */
export function scoringNotes({ scored, select }: StudyData, at: ScoredSize, sizes: readonly string[]): string[] {
  const size =
    at === "native"
      ? "Scored at the images' own size (--at native); the paper scores at the trained size."
      : `Scored at ${sizes.join(", ")}, the trained size, as the paper does; --at native scores at the images' own size.`;
  const chosenOnScored = select === scored.split || (scored.split === "fold" && select === "val");
  const same = chosenOnScored
    ? ", on the very images that are scored: the figures are too good by what that choice found"
    : "";
  return [size, `Scored: ${SELECT_TEXT[select]}${same}.`];
}

/** Lists the runs without an end, where there are any, and makes the exit code 1. */
export function sayUnfinished({ unfinished }: Pick<StudyResult, "unfinished">): void {
  if (unfinished.length === 0) return;
  note(
    `${unfinished.length} ${unfinished.length === 1 ? "run has" : "runs have"} no result; their rows have no numbers:`,
  );
  for (const { run, why } of unfinished) note(`  - ${run}: ${why.replaceAll("\n", "\n      ")}`);
  note("the same command tries them again");
  process.exitCode = 1;
}
