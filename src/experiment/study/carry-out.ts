import { DeviceLostError, SvanetError } from "../../errors.ts";
import type { Study, StudyRun } from "./plan.ts";
import { makeRuns, type RunnerInput, type UnfinishedRun } from "./runner.ts";
import type { RunScores } from "./score.ts";

/** What a study is carried out with. */
export interface CarryOutInput extends RunnerInput {
  /** The scores of a finished run. */
  readonly score: (run: StudyRun) => Promise<RunScores>;
}

/** What a table is made of: the scores of every run at its end, and why the others have none. */
export interface StudyResult {
  readonly scores: ReadonlyMap<string, RunScores>;
  readonly unfinished: readonly UnfinishedRun[];
  /** Whether a signal ended it before all runs were reached: there is no table then. */
  readonly stopped: boolean;
}

/** Makes the runs of a study that are missing, then scores those at their end. A second call goes on where one was ended. */
export async function carryOut(study: Study, input: CarryOutInput): Promise<StudyResult> {
  const { finished, failed, stopped } = await makeRuns(study.runs, input);
  const scores = new Map<string, RunScores>();
  const unfinished: UnfinishedRun[] = [...failed];
  if (stopped) return { scores, unfinished, stopped };
  const ready = study.runs.filter(({ name }) => finished.has(name));
  if (ready.length > 0) input.note(`scoring ${ready.length} runs`);
  for (const run of ready) {
    if (input.stopped?.()) return { scores, unfinished, stopped: true };
    const found = await input.score(run).catch(whyNot);
    if (typeof found === "string") unfinished.push({ run: run.name, why: found });
    else scores.set(run.name, found);
  }
  return { scores, unfinished, stopped: false };
}

/** The failure of a run that cannot be scored, in words; what concerns all of them is thrown. */
function whyNot(error: unknown): string {
  if (error instanceof SvanetError && !(error instanceof DeviceLostError)) return error.message;
  throw error;
}
