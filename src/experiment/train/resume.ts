import { existsSync } from "node:fs";
import { CheckpointError, UsageError } from "../../errors.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import { loadCheckpoint, readFacts } from "../checkpoint/checkpoint.ts";
import { hasState, runPaths } from "../run/run-folder.ts";
import { BEFORE_THEY_EXISTED, TRAIN_DEFAULTS, type TrainConfig } from "../settings/config.ts";
import { recipeText } from "../settings/recipe.ts";
import { resolvedConfig } from "../settings/resolved.ts";

/** A state that a run continues from. */
export interface Resumed {
  readonly checkpoint: Checkpoint;
  /** What is wrong with the last state, where this is the one before it. */
  readonly insteadOf: string | null;
}

/**
 * The state a run with this `network` continues from, checked whole: the last one, or the one before where that is damaged.
 * Null: it starts.
 */
export async function stateToResume(config: TrainConfig, network: NetworkConfig): Promise<Resumed | null> {
  const paths = runPaths(config.out);
  if (config.resume === false || (config.resume === "auto" && !hasState(paths))) return null;
  if (!hasState(paths)) {
    throw new UsageError(
      `--resume: ${config.out} has no checkpoints/last.safetensors; train without --resume, or use --resume auto`,
    );
  }
  const [checkpoint, insteadOf] = await newest(config.out, loadCheckpoint);
  checkSameRecipe(config, network, checkpoint.facts);
  return { checkpoint: { ...checkpoint, path: paths.last }, insteadOf };
}

/** The facts of the state that {@link stateToResume} would find, for a quick look; null where a run has none. */
export async function factsToResume(out: string): Promise<CheckpointFacts | null> {
  if (!hasState(runPaths(out))) return null;
  const [facts] = await newest(out, readFacts);
  return facts;
}

/** Reads the last state, or the one before with what is wrong with the last. */
async function newest<R>(out: string, read: (path: string) => Promise<R>): Promise<readonly [R, string | null]> {
  const { last, previous } = runPaths(out);
  try {
    return [await read(last), null];
  } catch (error) {
    if (!(error instanceof CheckpointError) || !existsSync(previous)) throw error;
    return [await read(previous), error.message];
  }
}

/**
 * Throws UsageError, naming what differs, when a run was started with another recipe than `config`, whose network is
 * `network`. A default and the value it stands for are no difference.
 */
export function checkSameRecipe(config: TrainConfig, network: NetworkConfig, facts: CheckpointFacts): void {
  const { recipe } = facts.progress;
  if (recipe === "") {
    throw new UsageError(
      `${config.out} holds no training to resume: its checkpoint was made of other weights (--weights)`,
    );
  }
  // A setting that did not exist yet when the run began had what was then the only way, mostly what is its default now.
  const before = {
    ...config,
    ...TRAIN_DEFAULTS,
    ...BEFORE_THEY_EXISTED,
    ...(JSON.parse(recipe) as Partial<TrainConfig>),
  };
  const differences = recipeDifferences(resolvedConfig(before, facts.config), resolvedConfig(config, network));
  if (differences.length === 0) return;
  throw new UsageError(
    `the run in ${config.out} was started with another recipe (${differences.join(", ")}); ` +
      "leave these flags out, or choose another --out",
  );
}

/** The fields of two recipes that are not equal, in words. */
function recipeDifferences(was: TrainConfig, is: TrainConfig): string[] {
  const before = JSON.parse(recipeText(was)) as Record<string, unknown>;
  const now = JSON.parse(recipeText(is)) as Record<string, unknown>;
  return Object.keys(now)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key} ${JSON.stringify(before[key])}, now ${JSON.stringify(now[key])}`);
}
