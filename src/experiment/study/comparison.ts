import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import { UsageError } from "../../errors.ts";
import { PRESET_NAMES } from "../../model/svanet/config.ts";
import { fromZoo, ZOO } from "../../model/zoo.ts";
import { flagOf, resolveConfig, type TrainConfig, type TrainFlags } from "../settings/config.ts";
import type { ConfigFile } from "../settings/config-file.ts";
import { plannedFlags } from "../settings/recipe.ts";
import { SVANET_FIELDS } from "../settings/svanet-parts.ts";
import { type PaperScores, paperScores, TABLE_VII } from "./paper.ts";
import type { Arm } from "./plan.ts";
import type { StudyRow } from "./table.ts";

/** The networks meant by `paper` (those of its Table VII), `all` (every one there is) or a list of names, each once. */
export function comparedNetworks(text: string): string[] {
  if (text === "paper") return [...TABLE_VII];
  if (text === "all") return ZOO.map(({ name }) => name);
  const names = text.split(",").map((name) => fromZoo(name.trim()).name);
  return [...new Set(names)];
}

/** What the networks of a comparison have in common, as flags and a file give it. */
export interface CommonRecipe {
  readonly flags: TrainFlags;
  readonly file?: ConfigFile | undefined;
  /** Files of pretrained weights by network. */
  readonly weights: ReadonlyMap<string, string>;
}

/** A part of SvANet that was given, and the networks that have it. */
export interface GivenPart {
  readonly field: string;
  readonly value: unknown;
  readonly networks: readonly string[];
}

/** Whether a network has a part. */
function has(name: string, field: (typeof SVANET_FIELDS)[number]): boolean {
  const { config } = fromZoo(name);
  return config.kind === "svanet" && (field !== "formerHeads" || config.formerAttention === "mhsa");
}

/**
 * The parts that were given, each with the networks that it applies to. UsageError where none of the networks has one, and where
 * the file says which network it is.
 */
export function givenParts(names: readonly string[], { flags, file }: CommonRecipe): GivenPart[] {
  const decided = ["model", "preset", "ablation", "weights"].find((field) => file?.values[field] !== undefined);
  if (decided !== undefined) {
    throw new UsageError(`${file?.where(decided)}: a comparison is of several networks; leave it out of the file`);
  }
  return SVANET_FIELDS.flatMap((field) => {
    const value = flags[field] ?? file?.values[field];
    if (value === undefined || value === null) return [];
    const networks = names.filter((name) => has(name, field));
    if (networks.length > 0) return [{ field, value, networks }];
    const where = flags[field] === undefined ? (file?.where(field) ?? field) : flagOf(field);
    throw new UsageError(
      `${where} ${value}: none of the compared networks (${names.join(", ")}) has this part; leave it out`,
    );
  });
}

/** The recipe of one network: the common one without the parts that it lacks. `plan` is what its publication plans for the data. */
function recipeOf(name: string, { flags, file, weights }: CommonRecipe, plan: TrainFlags = {}): TrainConfig {
  const isPreset = (PRESET_NAMES as readonly string[]).includes(name);
  const lacking = SVANET_FIELDS.filter((field) => !has(name, field)).map((field) => [field, null]);
  const own = {
    ...flags,
    ...Object.fromEntries(lacking),
    ...(isPreset ? { model: "svanet", preset: name } : { model: name }),
    ...(weights.has(name) ? { weights: weights.get(name) } : {}),
  };
  return resolveConfig(own, file, { recipe: "paper", ...plan });
}

/** The recipe of every network before the data are known: what does not fit together is found by it. */
export const foreseenRecipes = (names: readonly string[], common: CommonRecipe): TrainConfig[] =>
  names.map((name) => recipeOf(name, common));

/** The rows for a data set: each network under the common recipe, nnU-Net at the size it plans for these images. */
export function comparisonArms(names: readonly string[], common: CommonRecipe, dataset: CheckedDataset): Arm[] {
  return names.map((name) => {
    const plan = plannedFlags(recipeOf(name, common), dataset);
    return { key: name, label: name, config: { ...recipeOf(name, common, plan), data: dataset.folder } };
  });
}

/** The row that the others are compared with: the one that is asked for, else a SvANet, else the first. */
export function baselineOf(names: readonly string[], wanted?: string): string {
  if (wanted !== undefined && !names.includes(wanted)) {
    throw new UsageError(`--against ${wanted}: it is not among the compared networks (${names.join(", ")})`);
  }
  const svanet = names.find((name) => fromZoo(name).config.kind === "svanet");
  return wanted ?? svanet ?? names[0] ?? "";
}

/** A row with the paper's figures for the network on the data set. */
export interface ComparisonRow extends StudyRow {
  readonly paper: PaperScores | null;
}

/** The rows with what the paper prints for a data set of that name. */
export function withPaper(rows: readonly StudyRow[], dataset: string): ComparisonRow[] {
  return rows.map((row) => ({ ...row, paper: paperScores(dataset, fromZoo(row.key).paper) ?? null }));
}

/** Metrics by which networks are ranked, in the stratum of all images; of an error the lowest is the first. */
export const RANKED = [
  { metric: "mDice", lower: false },
  { metric: "mIoU", lower: false },
  { metric: "maeRelease", lower: true },
  { metric: "sensitivity", lower: false },
  { metric: "f2", lower: false },
] as const;

/** A network's mean rank over the data sets by metric; null where a data set lacks its numbers. 1 is the best. */
export interface MeanRanks {
  readonly key: string;
  readonly ranks: Readonly<Record<string, number | null>>;
}

/** Ranks the rows of each data set and averages; equal values share the mean of their ranks. */
export function meanRanks(sets: readonly (readonly StudyRow[])[]): MeanRanks[] {
  const keys = sets[0]?.map(({ key }) => key) ?? [];
  const byMetric = RANKED.map(({ metric, lower }) => {
    const each = sets.map((rows) =>
      ranksOf(
        rows.map(({ strata }) => strata["all"]?.[metric]?.mean ?? null),
        lower,
      ),
    );
    return [metric, keys.map((_, i) => meanOf(each.map((ranks) => ranks[i] ?? null)))] as const;
  });
  return keys.map((key, i) => ({
    key,
    ranks: Object.fromEntries(byMetric.map(([metric, means]) => [metric, means[i] ?? null])),
  }));
}

function ranksOf(values: readonly (number | null)[], lower: boolean): (number | null)[] {
  const all = values.flatMap((value) => (value === null ? [] : [lower ? value : -value]));
  return values.map((value) => {
    if (value === null) return null;
    const own = lower ? value : -value;
    const before = all.filter((other) => other < own).length;
    const equal = all.filter((other) => other === own).length;
    return before + (equal + 1) / 2;
  });
}

function meanOf(values: readonly (number | null)[]): number | null {
  const sum = values.reduce((total, value) => (total === null || value === null ? null : total + value), 0);
  return sum === null || values.length === 0 ? null : sum / values.length;
}
