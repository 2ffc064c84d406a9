import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type CheckedDataset, pixelStatistics } from "../../../data/dataset/check-dataset.ts";
import { SPLIT_NAMES, type SplitName } from "../../../data/dataset/dataset.ts";
import { UsageError } from "../../../errors.ts";
import { writeFileAtomic } from "../../../files/atomic.ts";
import { makeInnerFolder } from "../../../files/folder.ts";
import { requireRegularFile } from "../../../files/regular.ts";
import { foldOf, resolveConfig, START_FIELDS, sizeText, type TrainConfig } from "../../settings/config.ts";
import { chosenImages, trainingSplits } from "../chosen-data.ts";
import { foldData } from "../folds.ts";
import { planStudy, SELECTIONS, type StudyData, type StudyRun } from "../plan.ts";
import { SCORED_AT, type ScoredSize } from "../score.ts";

/** What the layout of a run file is called; another one is refused. */
const FORMAT = "svanet run 1";

/** Settings that whoever carries a run out decides anew: the machine's, and how a process starts. */
const OPEN_FIELDS: readonly string[] = ["adapter", "out", ...START_FIELDS];

const runFileSchema = z.strictObject({
  format: z.literal(FORMAT),
  /** Of the run's folder. */
  name: z.string().min(1),
  label: z.string(),
  /** The study's folder. */
  study: z.string().min(1),
  /** The run's configuration, without {@link OPEN_FIELDS}. */
  config: z.record(z.string(), z.unknown()),
  /** What is scored: the images, the checkpoint and the size. */
  scored: z.strictObject({
    split: z.enum([...SPLIT_NAMES, "fold"]),
    select: z.enum(SELECTIONS),
    at: z.enum(SCORED_AT),
  }),
});

/** Everything that decides one run of a study and its scores, as its file has it. */
type RunFile = z.output<typeof runFileSchema>;

/** A run file as it was read, and the configuration in it. */
export interface WrittenRun {
  readonly path: string;
  readonly file: RunFile;
  /** With what the {@link Carrier} decides. */
  readonly config: TrainConfig;
}

/** What whoever carries a run out decides. */
export interface Carrier {
  readonly adapter: string | null;
  readonly stealLock: boolean;
  /** Threads that prepare images; null: as the study says. */
  readonly workers: number | null;
}

/** Writes the file of a run, of which {@link studyRunOf} makes the run again in another process; returns its path. */
export function writeRunFile(study: string, { name, label, config, data }: StudyRun, at: ScoredSize): string {
  const kept = Object.entries(config).filter(([field]) => !OPEN_FIELDS.includes(field));
  const { select } = data;
  const { split } = data.scored;
  const values = { ...Object.fromEntries(kept), size: sizeText(config.size) };
  const file: RunFile = { format: FORMAT, name, label, study, config: values, scored: { split, select, at } };
  const folder = join(study, "plan");
  const path = join(folder, `${name}-${split}-${select}-${at}.json`);
  makeInnerFolder(folder);
  writeFileAtomic(path, `${JSON.stringify(file, null, 1)}\n`);
  return path;
}

/** Reads a run file. UsageError, naming the file and the place in it, where it is none. */
export function readRunFile(path: string, { adapter, stealLock, workers }: Carrier): WrittenRun {
  requireRegularFile(path, (sentence) => new UsageError(sentence));
  const parsed = runFileSchema.safeParse(jsonOf(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? "" : ` ${issue.path.join(".")}:`;
    throw new UsageError(`${path} is no run file of a study:${place} ${issue?.message}; ${ANEW}`);
  }
  const file = parsed.data;
  const own = { out: join(file.study, "runs", file.name), adapter, stealLock, resume: "auto" };
  const values = { ...file.config, ...own, ...(workers === null ? {} : { workers }) };
  return { path, file, config: resolveConfig({}, { values, where: (key) => `${path} (config.${key})` }) };
}

const ANEW = "the study's own command writes it anew";

function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`${path} cannot be read as JSON (${(error as Error).message}); ${ANEW}`, { cause: error });
  }
}

/** The splits of the data set that a run reads. Throws as `trainingSplits` does. */
export function splitsOf({ file, config }: WrittenRun): SplitName[] {
  const read = new Set<string>([...trainingSplits(config.data, config), file.scored.split]);
  return SPLIT_NAMES.filter((name) => read.has(name));
}

/**
 * The run that a file describes, on its data set with {@link splitsOf} checked: the same to the bit as in the process that planned
 * it. UsageError where data set or program have become others, so that it would be another run.
 */
export function studyRunOf(written: WrittenRun, opened: CheckedDataset): StudyRun {
  const { path, file, config } = written;
  const arm = { key: file.name, label: file.label, config };
  const data = dataOf(written, opened);
  const [run] = planStudy({ blocks: [{ data, arms: [arm] }], repeats: 1, out: file.study }).runs;
  if (run?.name !== file.name) {
    throw new UsageError(
      `${path}: what it describes is called ${run?.name} by now: the classes of ${opened.folder}, or svanet, have changed; ${ANEW}`,
    );
  }
  const { adapter, stealLock } = config;
  return { ...run, label: file.label, config: { ...run.config, adapter, stealLock } };
}

function dataOf({ file, config }: WrittenRun, opened: CheckedDataset): StudyData {
  const { split, select } = file.scored;
  const statistics = pixelStatistics(opened);
  const chosen = config.fold === null ? undefined : foldOf(config.fold);
  if (chosen !== undefined) {
    const { folds } = foldData({ dataset: opened, statistics, select: select === "val" ? "val" : "last", ...chosen });
    const own = folds[chosen.fold - 1];
    if (own === undefined) throw new Error(`fold ${config.fold} of ${folds.length}`);
    return own;
  }
  const samples = split === "fold" ? [] : (opened.splits[split] ?? []);
  const dataset = chosenImages(opened, config);
  return { name: opened.name, judge: config.judge, dataset, statistics, scored: { split, samples }, select };
}
