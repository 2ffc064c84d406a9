import { UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { normAgainstLoneImages } from "../../model/lone-image.ts";
import { writeDataRecord } from "../run/data-index.ts";
import { describeEnvironment } from "../run/environment.ts";
import { RunFolder } from "../run/run-folder.ts";
import type { TrainConfig } from "../settings/config.ts";
import { resolvedConfig } from "../settings/resolved.ts";
import { withObjectFiles } from "./object-files.ts";
import { type Resumed, stateToResume } from "./resume.ts";
import { checkSameData, usedFiles } from "./same-data.ts";
import { Timetable } from "./timetable.ts";
import { type TrainInput, type TrainResult, trainSamples } from "./train-input.ts";
import { TrainingRun } from "./training-run.ts";
import { unjudgeable } from "./validation.ts";

/** Trains a network from its start or last checkpoint to its end. The run folder is complete whenever this returns. */
export async function runTraining(given: TrainInput): Promise<TrainResult> {
  // Resolved, so that what a run keeps of its recipe, and so the bits of its checkpoints, are those of its config.yaml.
  const resolved = resolvedConfig(given.config, given.network);
  const input = { ...given, config: resolved, dataset: await withObjectFiles(given.dataset, resolved) };
  const { config, dataset, statistics, observer, device } = input;
  const norm = normAgainstLoneImages(input.network) ?? null;
  const timetable = new Timetable(config, trainSamples(dataset, config).length, norm);
  const why = unjudgeable(dataset);
  if (config.patience !== null && why !== undefined) {
    throw new UsageError(
      `--patience ${config.patience}: ${config.data} has nothing to judge by (${why}); leave it out`,
    );
  }
  const resumed = await stateToResume(config, input.network);
  const dataNotes = resumed ? checkSameData(config, resumed.checkpoint.facts, dataset, statistics) : [];
  const folder = openFolder(config, resumed);
  try {
    for (const line of [...(resumed ? resumeNotes(resumed, timetable) : []), ...folder.notes, ...dataNotes]) {
      observer.note(line);
    }
    if (input.plan !== undefined && resumed === null) writeFileAtomic(folder.paths.plan, input.plan);
    writeDataRecord(folder.paths.data, { ...statistics, files: usedFiles(dataset) });
    const { name, driver, backend } = device.report;
    const torn = folder.addEnvironment(describeEnvironment({ name, driver, backend }));
    if (torn !== null) observer.note(torn);
    // A network goes on with pixels as it has learnt to see them.
    const known = resumed ? { ...input, statistics: resumed.checkpoint.facts } : input;
    const run = await TrainingRun.open(known, timetable, folder, resumed?.checkpoint ?? null);
    try {
      const result = await run.train();
      await observer.saved?.(config.out, "over");
      return result;
    } finally {
      await run.close();
    }
  } finally {
    folder.close();
  }
}

function openFolder(config: TrainConfig, resumed: Resumed | null): RunFolder {
  if (!resumed) return RunFolder.create(config.out, config);
  const { step } = resumed.checkpoint.facts.progress;
  return RunFolder.resume(config.out, { step, fromPrevious: resumed.insteadOf !== null }, config);
}

function resumeNotes({ checkpoint, insteadOf }: Resumed, timetable: Timetable): string[] {
  const { step, epoch, stepInEpoch } = checkpoint.facts.progress;
  const place = timetable.placeAfter(step);
  const moved = place.epoch !== epoch || place.stepInEpoch !== stepInEpoch;
  const { stepsPerEpoch } = timetable.duration;
  return [
    ...(insteadOf === null ? [] : [`${insteadOf}: going on from the state before it, of step ${step}`]),
    ...(moved ? [`an epoch has ${stepsPerEpoch} steps now: step ${step + 1} is in epoch ${place.epoch + 1}`] : []),
  ];
}
