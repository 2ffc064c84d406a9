import { existsSync } from "node:fs";
import { CheckpointError, UsageError } from "../../errors.ts";
import { type Checkpoint, loadCheckpoint, readFacts } from "../checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../checkpoint/facts.ts";
import { hasState, runPaths } from "../run/run-folder.ts";
import { TRAIN_DEFAULTS, type TrainConfig } from "../settings/config.ts";
import { peakRate, recipeText } from "../settings/recipe.ts";

/** A state that a run continues from. */
export interface Resumed {
  readonly checkpoint: Checkpoint;
  /** What is wrong with the last state, where this is the one before it. */
  readonly insteadOf: string | null;
}

/** The state a run continues from, checked whole: the last one, or the one before where that is damaged. Null: it starts. */
export async function stateToResume(config: TrainConfig): Promise<Resumed | null> {
  const paths = runPaths(config.out);
  if (config.resume === false || (config.resume === "auto" && !hasState(paths))) return null;
  if (!hasState(paths)) {
    throw new UsageError(
      `--resume: ${config.out} has no checkpoints/last.safetensors; train without --resume, or use --resume auto`,
    );
  }
  const [checkpoint, insteadOf] = await newest(config.out, loadCheckpoint);
  checkSameRecipe(config, checkpoint.facts);
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

/** Throws UsageError, naming what differs, when a run was started with another recipe. */
export function checkSameRecipe(config: TrainConfig, { progress }: CheckpointFacts): void {
  if (progress.recipe === "") {
    throw new UsageError(
      `${config.out} holds no training to resume: its checkpoint was made of other weights (--weights)`,
    );
  }
  const differences = recipeDifferences(progress.recipe, recipeText(config));
  if (differences.length === 0) return;
  throw new UsageError(
    `the run in ${config.out} was started with another recipe (${differences.join(", ")}); ` +
      "leave these flags out, or choose another --out",
  );
}

/** The fields of two recipes that are not equal, in words. */
function recipeDifferences(was: string, is: string): string[] {
  // A setting that did not exist yet when the run began had what is now its default; a rate of null was the schedule's own.
  const settled = (text: string): Record<string, unknown> => {
    const recipe = { ...TRAIN_DEFAULTS, ...(JSON.parse(text) as Partial<TrainConfig>) };
    return { ...recipe, lr: peakRate(recipe) };
  };
  const [before, now] = [settled(was), settled(is)];
  return Object.keys(JSON.parse(is) as object)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map((key) => `${key} ${JSON.stringify(before[key])}, now ${JSON.stringify(now[key])}`);
}
