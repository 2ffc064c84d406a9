import type { Command } from "commander";
import { precisionOf, repeatOf, windowOf } from "../../experiment/settings/recipe.ts";
import { readRunFile, splitsOf, studyRunOf, type WrittenRun } from "../../experiment/study/launch/run-file.ts";
import { Scorer } from "../../experiment/study/score.ts";
import { trainHere } from "../../experiment/study/train-here.ts";
import { requireFit } from "../../training/fit.ts";
import { wholeNumber } from "../arguments.ts";
import { adapterOption, stealLockOption } from "../options.ts";
import { note } from "../print.ts";
import { openChecked, withDevice } from "../session.ts";
import { exitCodeOf, type Stop, stoppable } from "../signals.ts";
import { watchTraining } from "../watch-training.ts";

interface RunFlags {
  readonly adapter?: string;
  readonly stealLock?: boolean;
  readonly workers?: number;
}

/** `svanet run-study`: one run of a study, trained to its end and scored; what every launcher starts. */
export function register(command: Command): void {
  command
    .argument("<file>", "run file in plan/ of a study's folder, as --jobs and --launcher write it")
    .addOption(adapterOption())
    .option("--workers <n>", "threads that prepare images (default: as the study says)", wholeNumber(0))
    .addOption(stealLockOption())
    .action(async (path: string, flags: RunFlags) => {
      const { adapter = null, stealLock = false, workers = null } = flags;
      endWithParent();
      const written = readRunFile(path, { adapter, stealLock, workers });
      process.exitCode = await stoppable((stop) => carriedOut(written, stop));
    });
}

/** A run that a launcher started as its child saves and ends when the launcher is gone: nobody would wait for it. */
function endWithParent(): void {
  if (process.channel === undefined) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}

/** Trains and scores; returns the exit code, which names the signal that stopped it where one did. */
function carriedOut(written: WrittenRun, stop: Stop): Promise<number> {
  const { config, file } = written;
  return withDevice(config.adapter, precisionOf(config), async (device) => {
    const opened = await openChecked(config.data, splitsOf(written), {
      window: windowOf(config),
      believed: config.classes ?? 0,
    });
    const run = studyRunOf(written, opened);
    const work = { batch: config.batchSize, repeat: repeatOf(config), precision: precisionOf(config) };
    requireFit(run.network, { kind: "training", ...work }, device.room);
    const observer = watchTraining();
    const { kind } = await trainHere(device, observer, () => stop.signal !== null)(run).finally(() => observer.stop());
    if (kind !== "finished") {
      note(`${run.name} is stopped; its state is saved, and the same command goes on`);
      return stop.signal === null ? 1 : exitCodeOf(stop.signal);
    }
    const scorer = new Scorer(device, file.scored.at, config.workers ?? undefined);
    try {
      await scorer.score(run);
    } finally {
      await scorer.close();
    }
    note(`${run.name} is finished and scored`);
    return 0;
  });
}
