import { type Command, Option } from "commander";
import { SPLIT_NAMES, type SplitName } from "../data/dataset/dataset.ts";
import { UsageError } from "../errors.ts";
import { TRAIN_FIELDS, type TrainConfig, type TrainField } from "../experiment/settings/config.ts";
import { SELECTIONS, type Selection } from "../experiment/study/plan.ts";
import { SCORED_AT, type ScoredSize } from "../experiment/study/score.ts";
import { wholeNumber } from "./arguments.ts";

/** The flags of every command that trains several networks and compares them. */
export interface StudyFlags extends Readonly<Record<string, unknown>> {
  readonly repeats: number;
  readonly split?: SplitName;
  readonly select?: Selection;
  readonly at: ScoredSize;
  readonly jobs?: number;
  readonly launcher?: LauncherName;
  /** A file of settings. */
  readonly slurm?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/** Who carries the runs of a study out: this machine, a Slurm cluster, or whoever takes the printed commands. */
export const LAUNCHERS = ["here", "slurm", "print"] as const;
export type LauncherName = (typeof LAUNCHERS)[number];

/** Adds them; `repeats` is how often each configuration is trained where nothing is said. */
export function addStudyOptions(command: Command, { repeats = 3, split = true } = {}): Command {
  command.option("--repeats <n>", "runs of each configuration, seeds one apart", wholeNumber(1), repeats);
  if (split) {
    command.addOption(
      new Option("--split <name>", "split to score (default: val, or test where there is no val)").choices(SPLIT_NAMES),
    );
  }
  return command
    .addOption(
      new Option(
        "--select <which>",
        "checkpoint to score: the last, or the best on val, or on test, as the authors' code does (default: val where it can judge, else last)",
      ).choices(split ? SELECTIONS : ["last", "val"]),
    )
    .addOption(
      new Option("--at <size>", "score at the trained size, as the paper does, or at each image's own")
        .choices(SCORED_AT)
        .default("trained"),
    )
    .option(
      "--jobs <n>",
      "runs at a time, a process each; --adapter a,b spreads them (default: 1, in this process)",
      wholeNumber(1),
    )
    .addOption(
      new Option(
        "--launcher <name>",
        "who carries the runs out: this machine, a Slurm cluster, or whoever takes the printed commands",
      )
        .choices(LAUNCHERS)
        .default("here"),
    )
    .option("--slurm <file>", "with --launcher slurm: YAML file of partition, time, gpus and what else a task asks for")
    .option("--dry-run", "train nothing: print runs, parameters, and what they would take")
    .option("--json", "print the tables as JSON");
}

/** Settings of a single run that a study decides itself: its folds, its judge, and that it goes on. */
export const DECIDED_BY_STUDY = ["fold", "judge", "resume"] as const satisfies readonly (keyof TrainConfig)[];

/** The flags of `svanet train` that a study has, too. */
export const STUDY_FIELDS: readonly TrainField[] = TRAIN_FIELDS.filter(
  (field) => !(DECIDED_BY_STUDY as readonly string[]).includes(field),
);

/** Throws UsageError for a recipe that a study cannot score: it takes none as the data have it, and scores all at one size. */
export function requireStudyRecipe({ recipe, patches, borders, fold, judge }: TrainConfig, at: ScoredSize): void {
  if (fold !== null || judge !== "val") {
    const given = fold === null ? `judge: ${judge}` : `fold: ${fold}`;
    throw new UsageError(
      `${given} in the --config file is of a single run; a study chooses images by --select and --split: take the line out`,
    );
  }
  if (borders !== null) {
    throw new UsageError("--borders: a study scores the classes of the data set alone; leave it out");
  }
  if (recipe === "auto" || (patches > 0 && at === "trained")) {
    throw new UsageError(
      "a study compares networks by one recipe and at one trained size: leave out --recipe auto and --patches (of a --config file: " +
        "patches), or give the file that svanet plan writes by --config and score at the images' own size by --at native",
    );
  }
}
