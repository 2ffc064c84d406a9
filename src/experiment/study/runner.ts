import { CheckpointError, DeviceLostError, SvanetError } from "../../errors.ts";
import type { StudyRun } from "./plan.ts";

/** What is known of a run before it is carried out. */
export type RunState = "missing" | "begun" | "finished";

/** How a run ended: at its end, asked to stop with its state saved, or by a failure. */
export type RunEnd = { readonly kind: "finished" | "stopped" } | RunFailure;

/** A run that came to no end. */
interface RunFailure {
  readonly kind: "failed";
  /** The failure in a sentence or two. */
  readonly why: string;
}

/** Carries a run out, from its start or from where it was left, and says how it ended. */
export type CarryRun = (run: StudyRun) => Promise<RunEnd>;

/**
 * Carries runs out in an order of its own, and tells the end of each as it comes. A run whose end was not told was not come to,
 * because the study is to stop. `inTurn` makes one of what carries out a single run in this process; others start processes or hand
 * the runs to a cluster.
 */
export type Launcher = (runs: readonly StudyRun[], ended: (run: StudyRun, end: RunEnd) => void) => Promise<void>;

/** What the runner asks and tells. */
export interface RunnerInput {
  readonly launch: Launcher;
  /** Looks at a run's folder. What it throws but CheckpointError ends the study before anything is trained. */
  readonly stateOf: (run: StudyRun) => Promise<RunState>;
  readonly note: (text: string) => void;
  /** True once a signal asks to stop. */
  readonly stopped?: (() => boolean) | undefined;
}

/** A run without an end, and why. */
export interface UnfinishedRun {
  readonly run: string;
  readonly why: string;
}

/** What became of the runs of a study. */
export interface RunsResult {
  /** Names of the runs that are at their end. */
  readonly finished: ReadonlySet<string>;
  readonly failed: readonly UnfinishedRun[];
  /** Whether a signal ended it: runs that are in neither list were not reached. */
  readonly stopped: boolean;
}

/**
 * Has the runs that are not finished carried out. One that fails does not keep the others from it. Throws DeviceLostError, after
 * which the same call goes on where it was, and what is no failure that we explain.
 */
export async function makeRuns(runs: readonly StudyRun[], input: RunnerInput): Promise<RunsResult> {
  const finished = new Set<string>();
  const failed: UnfinishedRun[] = [];
  const left: StudyRun[] = [];
  for (const run of runs) {
    const state = await input.stateOf(run).catch(orFailure);
    if (typeof state === "object") failed.push({ run: run.name, why: state.why });
    else if (state === "finished") finished.add(run.name);
    else left.push(run);
  }
  if (finished.size > 0) input.note(`${finished.size} of ${runs.length} runs are finished and skipped`);
  let ends = 0;
  await input.launch(left, (run, end) => {
    if (end.kind === "stopped") return;
    ends++;
    if (end.kind === "failed") {
      failed.push({ run: run.name, why: end.why });
      input.note(`${run.name} failed: ${end.why}`);
    } else finished.add(run.name);
  });
  return { finished, failed, stopped: ends < left.length };
}

/** One run after the other. A failure that `carry` throws and that concerns its run alone is the end of that run. */
export function inTurn(carry: CarryRun, { note, stopped }: Pick<RunnerInput, "note" | "stopped">): Launcher {
  return async (runs, ended) => {
    for (const [i, run] of runs.entries()) {
      if (stopped?.()) return;
      note(`run ${i + 1} of ${runs.length}: ${run.label} (${run.name})`);
      const end = await carry(run).catch(orFailureOfRun);
      ended(run, end);
      if (end.kind === "stopped") return;
    }
  };
}

/** Looking at a run: a damaged checkpoint concerns that run alone; another recipe or data concern all. */
function orFailure(error: unknown): RunFailure {
  if (error instanceof CheckpointError) return { kind: "failed", why: error.message };
  throw error;
}

function orFailureOfRun(error: unknown): RunFailure {
  if (error instanceof SvanetError && !(error instanceof DeviceLostError)) {
    return { kind: "failed", why: error.message };
  }
  throw error;
}
