import { createHash } from "node:crypto";
import { join, relative, sep } from "node:path";
import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { SplitName } from "../../data/dataset/dataset.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { UsageError } from "../../errors.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import type { Judge, TrainConfig } from "../settings/config.ts";
import { networkFor, recipeText } from "../settings/recipe.ts";
import { resolvedConfig } from "../settings/resolved.ts";

/** Which checkpoint of a run is scored: its last, or the best on val or on test, the rule of the authors' code. */
export const SELECTIONS = ["last", "val", "test"] as const;
export type Selection = (typeof SELECTIONS)[number];

/** What a study trains and scores on: a data set, or a fold of one. */
export interface StudyData {
  /** Of the data set, as in its dataset.yaml, else its folder's. */
  readonly name: string;
  /** Which fold it is: `2of5`, as {@link TrainConfig} has it. */
  readonly fold?: string;
  /** Which images are the `val` of the data set that follows; those of val where nothing is said. */
  readonly judge?: Judge;
  /** Trained on: its `train`; judged by, where it has one: its `val`. */
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  /** The images of the table. */
  readonly scored: { readonly split: SplitName | "fold"; readonly samples: readonly CheckedSample[] };
  /** Which checkpoint is scored. Of `test`, the `val` of the data set is its test split. */
  readonly select: Selection;
}

/** How a file of a data set is called in it, whatever the system: `train/a.png`. */
export const nameInSet = ({ folder }: Pick<CheckedDataset, "folder">, path: string): string =>
  relative(folder, path).split(sep).join("/");

/** A data set whose `train` is trained on, and whose `val` are the images of the split that validations look at. */
export function judgedBy(dataset: CheckedDataset, judge: Judge): CheckedDataset {
  const { train = [], val, test } = dataset.splits;
  const images = { val, test, none: undefined }[judge];
  return { ...dataset, splits: images === undefined ? { train } : { train, val: images } };
}

/** Data whose runs are judged by the test split at every validation, as the authors' code chooses its checkpoints. */
export function judgedByTest(data: StudyData): StudyData {
  return { ...data, judge: "test", dataset: judgedBy(data.dataset, "test"), select: "test" };
}

/** What data of a study are beside their set, as part of a name: `fold2of5`, `judged-by-test`; undefined for the set itself. */
export function partOf({ fold, judge }: Pick<StudyData, "fold" | "judge">): string | undefined {
  if (fold !== undefined) return `fold${fold}`;
  return judge === "test" ? "judged-by-test" : undefined;
}

/** A row of a table: a complete recipe under a name. Folder, seed and name of an ablation in it do not matter. */
export interface Arm {
  readonly key: string;
  /** What it is, in words. */
  readonly label: string;
  readonly config: TrainConfig;
}

/** One training. Two rows of whatever tables that ask for the same one share it. */
export interface StudyRun {
  /** Of its folder in `runs/`, made of the data, the network, a hash of network and recipe, and the seed. */
  readonly name: string;
  /** What it is, by the row that asked for it first. */
  readonly label: string;
  /** Everything spelt out, no ablation by name; `out` is the folder. */
  readonly config: TrainConfig;
  readonly network: NetworkConfig;
  readonly data: StudyData;
}

/** An arm on a data set: what a row of a table is computed from. */
export interface Cell {
  readonly arm: Arm;
  readonly data: StudyData;
  readonly network: NetworkConfig;
  /** One for each repeat, seeds ascending. */
  readonly runs: readonly StudyRun[];
}

/** What is to be trained, each run once. */
export interface Study {
  readonly cells: readonly Cell[];
  /** Every run of the cells once, in the order of their first use. */
  readonly runs: readonly StudyRun[];
}

/** What is crossed: the arms of each data set with the seeds. */
export interface StudyInput {
  readonly blocks: readonly { readonly data: StudyData; readonly arms: readonly Arm[] }[];
  /** Runs of each arm; the seeds count up from the arm's own. */
  readonly repeats: number;
  /** The folder of the study; runs lie in `runs/` below it. */
  readonly out: string;
}

/**
 * Plans a study: no file is read or written. Throws UsageError as {@link networkFor} does where a network cannot be built, and
 * where two data sets have one name.
 */
export function planStudy({ blocks, repeats, out }: StudyInput): Study {
  requireNames(blocks.map(({ data }) => data));
  const runs = new Map<string, StudyRun>();
  const cells = blocks.flatMap(({ data, arms }) =>
    arms.map((arm): Cell => {
      const network = networkFor(arm.config, data.dataset);
      const own = Array.from({ length: repeats }, (_, repeat) => plannedRun(arm, network, data, { repeat, out }));
      for (const run of own) if (!runs.has(run.name)) runs.set(run.name, run);
      return { arm, data, network, runs: own.map((run) => runs.get(run.name) ?? run) };
    }),
  );
  return { cells, runs: [...runs.values()] };
}

interface Place {
  readonly repeat: number;
  readonly out: string;
}

function plannedRun({ config, label }: Arm, network: NetworkConfig, data: StudyData, { repeat, out }: Place): StudyRun {
  const seed = config.seed + repeat;
  if (seed > 0xffffffff) throw new UsageError(`--seed ${config.seed}: too large for ${repeat + 1} repeats`);
  // A row's parts spelt out: two rows that ask for one network become one configuration.
  const whole: TrainConfig = { ...resolvedConfig(config, network), ablation: null, seed, resume: "auto" };
  const part = partOf(data);
  const name = `${fileName(data.name)}${part === undefined ? "" : `-${part}`}-${network.kind}-${hashOf(whole, network)}-seed${seed}`;
  const images = { data: data.dataset.folder, fold: data.fold ?? null, judge: data.judge ?? "val" };
  const own = { ...whole, ...images, out: join(out, "runs", name) };
  return { name, label: `${label}, seed ${seed}`, config: own, network, data };
}

/** Eight digits that tell recipes and networks apart, whatever the seed. */
function hashOf(config: TrainConfig, network: NetworkConfig): string {
  const text = `${recipeText({ ...config, seed: 0 })}\n${JSON.stringify(network)}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** A name as part of a file's: other characters than letters, digits, `.`, `_` and `-` become `_`. */
export const fileName = (name: string): string => name.replaceAll(/[^\w.-]/g, "_");

function requireNames(all: readonly StudyData[]): void {
  const folders = new Map<string, string>();
  for (const data of all) {
    const { name, dataset } = data;
    const key = fileName(`${name} ${partOf(data) ?? ""}`);
    const other = folders.get(key);
    if (other !== undefined) {
      throw new UsageError(
        `${other} and ${dataset.folder} are both called ${name}: give them different names (name: in dataset.yaml)`,
      );
    }
    folders.set(key, dataset.folder);
  }
}
