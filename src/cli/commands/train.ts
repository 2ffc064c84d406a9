import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { CheckedDataset } from "../../data/dataset/check-dataset.ts";
import type { SplitName } from "../../data/dataset/dataset.ts";
import { hasState, readRunConfig, runPaths } from "../../experiment/run/run-folder.ts";
import {
  resolveConfig,
  sizeText,
  TRAIN_FIELDS,
  type TrainConfig,
  type TrainFlags,
} from "../../experiment/settings/config.ts";
import { readConfigFile } from "../../experiment/settings/config-file.ts";
import {
  lossSettings,
  networkConfig,
  networkFor,
  plannedFlags,
  scratchAdvice,
  windowOf,
} from "../../experiment/settings/recipe.ts";
import { Timetable } from "../../experiment/train/timetable.ts";
import { trainSamples } from "../../experiment/train/train-input.ts";
import { runTraining } from "../../experiment/train/train-run.ts";
import { unjudgeable } from "../../experiment/train/validation.ts";
import { normAgainstLoneImages } from "../../model/lone-image.ts";
import { addTrainOptions, trainConfigFrom } from "../options.ts";
import { note } from "../print.ts";
import { openChecked, statisticsOf, withDevice } from "../session.ts";
import { figure } from "../units.ts";
import { stoppable, watchTraining } from "../watch-training.ts";

/** `svanet train`: trains a network on a dataset folder, or continues a run. */
export function register(command: Command): void {
  addTrainOptions(command);
  command.action(async (options: Readonly<Record<string, unknown>>) => {
    const config = configOf(options);
    process.exitCode = await train(config, (dataset) => configOf(options, plannedFlags(config, dataset)));
  });
}

/**
 * A run that is resumed keeps its stored settings; what flags or a file give again must agree with them where bits
 * depend on it.
 */
function configOf(options: Readonly<Record<string, unknown>>, plan?: TrainFlags): TrainConfig {
  const { out, resume, config: path } = options;
  if (!resume || typeof out !== "string") return trainConfigFrom(options, plan);
  const paths = runPaths(out);
  if (!hasState(paths) || !existsSync(paths.config)) return trainConfigFrom(options, plan);
  const file = typeof path === "string" ? readConfigFile(path) : undefined;
  const stored = readRunConfig(out);
  const settings = { ...stored, size: sizeText(stored.size) };
  const kept = Object.entries(settings).filter(([field]) => !(file && field in file.values));
  const given = TRAIN_FIELDS.filter((field) => options[field] !== undefined).map((field) => [field, options[field]]);
  return resolveConfig(Object.fromEntries([...kept, ...given]), file);
}

/**
 * Trains; returns the exit code: 75 for a run that was stopped and can be resumed. `planned` gives the configuration
 * again once the data set is known.
 */
export async function train(
  first: TrainConfig,
  configFor: (dataset: CheckedDataset) => TrainConfig = () => first,
): Promise<number> {
  // What does not fit together is said before every file is read; how many outputs there are may depend on the plan.
  lossSettings({ ...first, headWeights: null }, networkConfig(first, first.classes ?? 2));
  const dataset = await openChecked(first.data, trainingSplits(first.data), { window: windowOf(first) });
  const config = configFor(dataset);
  const { width, height } = config.size;
  if (width !== first.size.width || height !== first.size.height || config.batchSize !== first.batchSize) {
    note(`planned for these images: --size ${width}x${height} --batch-size ${config.batchSize}`);
  }
  const network = networkFor(config, dataset);
  lossSettings(config, network);
  const { schedule } = new Timetable(config, trainSamples(dataset).length, normAgainstLoneImages(network) ?? null);
  const advice = scratchAdvice(config, schedule);
  if (advice !== null) note(`note: ${advice}`);
  const why = unjudgeable(dataset);
  if (why !== undefined) note(`note: no best checkpoint is kept, ${config.data} cannot judge it: ${why}`);
  const statistics = statisticsOf(dataset);
  return withDevice(config.adapter, async (device) => {
    const observer = watchTraining();
    try {
      const result = await stoppable((stopped) =>
        runTraining({ config, network, dataset, statistics, device, observer, stopped }),
      );
      observer.stop();
      if (!result.finished) {
        note(`stopped after step ${result.steps}; continue with: svanet train --out ${config.out} --resume`);
        return 75;
      }
      const best = result.best === null ? "" : `, best validation mIoU ${figure(result.best)} %`;
      note(`done: ${result.steps} steps${best}; run folder ${config.out}`);
      const split = dataset.splits.val ? "val" : "test";
      note(`next: svanet eval ${config.out} --data ${config.data} --split ${split}`);
      return 0;
    } finally {
      observer.stop();
    }
  });
}

/** The splits a training run reads: a data set need not have `val`. */
export function trainingSplits(folder: string): SplitName[] {
  return existsSync(join(folder, "val")) ? ["train", "val"] : ["train"];
}
