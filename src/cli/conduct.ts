import { realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { CheckpointError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { precisionOf } from "../experiment/settings/recipe.ts";
import { type CarryOutInput, carryOut, type StudyResult } from "../experiment/study/carry-out.ts";
import { type Program, runCommand, shellLine } from "../experiment/study/launch/program.ts";
import { writeRunFile } from "../experiment/study/launch/run-file.ts";
import { sideBySide } from "../experiment/study/launch/side-by-side.ts";
import { onSlurm } from "../experiment/study/launch/slurm/slurm.ts";
import type { Study, StudyRun } from "../experiment/study/plan.ts";
import { inTurn, type Launcher, type RunState } from "../experiment/study/runner.ts";
import { keptScores, type ScoredSize, Scorer } from "../experiment/study/score.ts";
import { stateOfRun, trainHere } from "../experiment/study/train-here.ts";
import { requireWritableFolder } from "../files/folder.ts";
import type { Device } from "../kernels/device/device.ts";
import { chosenLauncher, type ProcessChoice } from "./launcher-choice.ts";
import { note, printLine } from "./print.ts";
import { readyWeights } from "./ready-weights.ts";
import { runTable } from "./run-table.ts";
import { withDevice } from "./session.ts";
import { exitCodeOf, stoppable } from "./signals.ts";
import type { StudyFlags } from "./study-flags.ts";
import { type PlannedTable, printPlan } from "./study-plan.ts";
import { sayUnfinished } from "./study-session.ts";
import { watchTraining } from "./watch-training.ts";

/** What a command that trains several networks leaves to {@link conduct}. */
interface StudyWork<P extends { readonly study: Study }> {
  /** Says where results go and what is opened; the first of several recipes. */
  readonly config: TrainConfig;
  readonly flags: StudyFlags;
  /** Recipes whose weights are fetched first. */
  readonly recipes: readonly TrainConfig[];
  /** Throws where the networks cannot run on a device of this process. */
  readonly requireFit?: (device: Device) => void;
  /** Reads the data and plans. */
  readonly open: () => Promise<P>;
  /** What a dry run prints. */
  readonly tables: (planned: P) => readonly PlannedTable[];
  /** Writes and prints the tables. */
  readonly finish: (planned: P, result: StudyResult) => void;
}

/** Plans a study and prints the plan, or has its runs carried out as the flags say and its tables made. */
export async function conduct<P extends { readonly study: Study }>(work: StudyWork<P>): Promise<void> {
  const { config, flags, recipes, open, tables, finish } = work;
  const choice = chosenLauncher(config, flags);
  if (flags.dryRun) {
    const planned = await open();
    await printPlan(planned.study, tables(planned), { config, json: flags.json === true });
    return;
  }
  requireWritableFolder(config.out, `--out ${config.out}`);
  for (const recipe of recipes) await readyWeights(recipe);
  if (choice.kind === "here") {
    await withDevice(config.adapter, precisionOf(config), async (device) => {
      work.requireFit?.(device);
      const planned = await open();
      const result = await carriedOutHere(device, planned.study, { at: flags.at, workers: config.workers });
      if (result !== null) finish(planned, result);
    });
    return;
  }
  const planned = await open();
  if (choice.kind === "print") return printCommands(planned.study, { out: config.out, at: flags.at });
  const result = await carriedOutElsewhere(planned.study, choice, { out: config.out, at: flags.at });
  if (result !== null) finish(planned, result);
}

/** Carries a study out on a device of this process. Null where a signal stopped it; the exit code says which. */
async function carriedOutHere(
  device: Device,
  study: Study,
  { at, workers }: { readonly at: ScoredSize; readonly workers: number | null },
): Promise<StudyResult | null> {
  const observer = watchTraining();
  const scorer = new Scorer(device, at, workers ?? undefined);
  try {
    return await watched(study, (stopped) => ({
      launch: inTurn(trainHere(device, observer, stopped), { note: observer.note, stopped }),
      stateOf: stateOfRun,
      score: (run) => scorer.score(run),
      note: observer.note,
      stopped,
    }));
  } finally {
    observer.stop();
    await scorer.close();
  }
}

interface Place {
  /** The study's folder. */
  readonly out: string;
  readonly at: ScoredSize;
}

/** Has a study carried out by other processes, which also score: none here opens a GPU. */
function carriedOutElsewhere(study: Study, choice: ProcessChoice, { out, at }: Place): Promise<StudyResult | null> {
  const display = runTable();
  const say = (text: string) => {
    display.stop();
    note(text);
  };
  const stateOf = (run: StudyRun) => scoredState(run, at);
  return watched(study, (stopped) => {
    const launch = launcherOf(choice, { out, at, display, note: say, stateOf, stopped });
    return { launch, stateOf, score: (run) => scoresOfRun(run, at), note: say, stopped };
  });
}

type Surroundings = Place &
  Pick<CarryOutInput, "note" | "stateOf" | "stopped"> & { readonly display: ReturnType<typeof runTable> };

function launcherOf(choice: ProcessChoice, { out, at, ...rest }: Surroundings): Launcher {
  const program = thisProgram();
  if (choice.kind === "slurm") {
    const { settings, adapter } = choice;
    const fileOf = (run: StudyRun) => writeRunFile(out, run, at);
    const command = (file: string) => runCommand(program, file, { adapter });
    return onSlurm({ ...rest, settings, study: out, fileOf, command });
  }
  const { jobs, adapters } = choice;
  const share = Math.max(1, Math.floor(availableParallelism() / jobs));
  return sideBySide({
    ...rest,
    jobs,
    adapters,
    command: (run, adapter) => {
      const workers = run.config.workers ?? share;
      return runCommand(program, writeRunFile(out, run, at), { adapter, workers });
    },
  });
}

/** Carries a study out while signals ask it to stop. Null where one did; the exit code says which. */
async function watched(study: Study, inputOf: (stopped: () => boolean) => CarryOutInput): Promise<StudyResult | null> {
  const { result, signal } = await stoppable(async (stop) => {
    const result = await carryOut(
      study,
      inputOf(() => stop.signal !== null),
    );
    return { result, signal: stop.signal };
  });
  if (!result.stopped) return result;
  sayUnfinished(result);
  note("stopped; the same command goes on where it was");
  process.exitCode = signal === null ? 1 : exitCodeOf(signal);
  return null;
}

/** A run that another process carries out is finished only with its scores: here is nothing to make them with. */
async function scoredState(run: StudyRun, at: ScoredSize): Promise<RunState> {
  const state = await stateOfRun(run);
  return state === "finished" && (await keptScores(run, at)) === undefined ? "begun" : state;
}

async function scoresOfRun(run: StudyRun, at: ScoredSize) {
  const found = await keptScores(run, at);
  if (found !== undefined) return found;
  throw new CheckpointError(`${run.name}: its scores are not there any more; the same command makes them again`);
}

/** Prints the command of each run that is not finished and scored, one a line. */
async function printCommands(study: Study, { out, at }: Place): Promise<void> {
  let printed = 0;
  for (const run of study.runs) {
    const state = await scoredState(run, at).catch((error: unknown) => {
      if (error instanceof CheckpointError) return "begun" as const;
      throw error;
    });
    if (state === "finished") continue;
    const words = runCommand(thisProgram(), writeRunFile(out, run, at));
    printLine(`${shellLine(["cd", process.cwd()])} && ${shellLine(words)}`);
    printed++;
  }
  const rest = study.runs.length - printed;
  note(
    `${printed} commands; ${rest} of ${study.runs.length} runs are finished. Then the same command without --launcher prints the tables`,
  );
}

/** How this process itself was called. */
const thisProgram = (): Program => [process.execPath, ...process.execArgv, realpathSync(process.argv[1] ?? "")];
