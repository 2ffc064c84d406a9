import type { Device } from "../../kernels/device/device.ts";
import { normAgainstLoneImages } from "../../model/lone-image.ts";
import { checkSameRecipe, factsToResume } from "../train/resume.ts";
import { checkSameData } from "../train/same-data.ts";
import { Timetable } from "../train/timetable.ts";
import { trainSamples } from "../train/train-input.ts";
import type { TrainObserver } from "../train/train-observer.ts";
import { runTraining } from "../train/train-run.ts";
import type { StudyRun } from "./plan.ts";
import type { CarryRun, RunState } from "./runner.ts";

/** Steps and epochs of a run. UsageError where its images make no batch. */
export function timetableOf({ config, network, data }: StudyRun): Timetable {
  return new Timetable(config, trainSamples(data.dataset, config).length, normAgainstLoneImages(network) ?? null);
}

/**
 * What the folder of a run holds. UsageError where it is a run of another recipe, DataError where the data have changed since,
 * CheckpointError where both states in it are damaged.
 */
export async function stateOfRun(run: StudyRun): Promise<RunState> {
  const { config, network, data } = run;
  const table = timetableOf(run);
  const facts = await factsToResume(config.out);
  if (facts === null) return "missing";
  checkSameRecipe(config, network, facts);
  checkSameData(config, facts, data.dataset, data.statistics);
  const { progress } = facts;
  return progress.step >= table.duration.steps || table.isStale(progress) ? "finished" : "begun";
}

/** Trains a run in this process. */
export function trainHere(device: Device, observer: TrainObserver, stopped?: () => boolean): CarryRun {
  return async ({ config, network, data }) => {
    const { dataset, statistics } = data;
    const input = { config, network, dataset, statistics, device, observer, ...(stopped ? { stopped } : {}) };
    const { finished, trouble } = await runTraining(input);
    if (trouble !== null) observer.note(`${trouble.text}; ${trouble.hint}`);
    return { kind: finished ? "finished" : "stopped" };
  };
}
