import { existsSync } from "node:fs";
import type { Command } from "commander";
import { type CheckedDataset, pixelStatistics } from "../../data/dataset/check-dataset.ts";
import { DeviceLostError, UsageError } from "../../errors.ts";
import { hasState, readRunConfig, runPaths } from "../../experiment/run/run-folder.ts";
import {
  resolveConfig,
  sizeText,
  TRAIN_FIELDS,
  type TrainConfig,
  type TrainFlags,
} from "../../experiment/settings/config.ts";
import { readConfigFile } from "../../experiment/settings/config-file.ts";
import { outputsFor } from "../../experiment/settings/outputs.ts";
import {
  isNative,
  lossSettings,
  networkConfig,
  networkFor,
  plannedFlags,
  precisionOf,
  rateLine,
  repeatOf,
  windowOf,
} from "../../experiment/settings/recipe.ts";
import { chosenImages, trainingSplits } from "../../experiment/study/chosen-data.ts";
import type { TrainInput, TrainResult } from "../../experiment/train/train-input.ts";
import { runTraining } from "../../experiment/train/train-run.ts";
import { unjudgeable } from "../../experiment/train/validation.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import type { Device } from "../../kernels/device/device.ts";
import { normAgainstLoneImages } from "../../model/lone-image.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import { requireFit, type Work } from "../../training/fit.ts";
import { MEMORY_HELP, memoryArgument, wholeNumber } from "../arguments.ts";
import { addTrainOptions, trainConfigFrom } from "../options.ts";
import { type PlannedRun, planAdvice, planRun } from "../planned-run.ts";
import { note } from "../print.ts";
import { readyWeights } from "../ready-weights.ts";
import { supervised } from "../restarts.ts";
import { openChecked, withDevice } from "../session.ts";
import { exitCodeOf, type Stop, stoppable } from "../signals.ts";
import { figure } from "../units.ts";
import { watchTraining } from "../watch-training.ts";

/** `svanet train`: trains a network on a dataset folder, or continues a run. */
export function register(command: Command): void {
  addTrainOptions(command);
  command.option("--memory <size>", `with --recipe auto: ${MEMORY_HELP}`, memoryArgument);
  command.option(
    "--max-restarts <n>",
    "times the run goes on from its last checkpoint after the GPU was lost",
    wholeNumber(0),
    0,
  );
  command.action(async (options: Readonly<Record<string, unknown>>) => {
    const restarts = Number(options["maxRestarts"]);
    process.exitCode = await supervised(restarts, (attempt) => {
      const own = attempt === 0 ? options : { ...options, resume: "auto" };
      const config = configOf(own);
      return train(config, (dataset, device) => planned(own, config, { dataset, device }));
    });
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

/** The configuration for the data set: by the plan of `--recipe auto`, or as the network is published to be planned. */
async function planned(
  options: Readonly<Record<string, unknown>>,
  config: TrainConfig,
  open: Open,
): Promise<PlannedRun> {
  const { dataset } = open;
  if (config.recipe === "auto" && startsAnew(config)) {
    const { flags, plan } = await planRun(options, config, open);
    return { config: configOf(options, flags), plan };
  }
  const advice = planAdvice(options, dataset);
  if (advice !== undefined) note(advice);
  return { config: configOf(options, plannedFlags(config, dataset)) };
}

/** What a run trains on. */
type Open = Pick<TrainInput, "dataset" | "device">;
type ConfigFor = (dataset: CheckedDataset, device: Device) => Promise<PlannedRun>;

/**
 * Trains; returns the exit code, which names the signal that stopped it where one did. `planned` gives the configuration
 * again once the data set is known.
 */
export async function train(
  first: TrainConfig,
  configFor: ConfigFor = async () => ({ config: first }),
): Promise<number> {
  // What does not fit together is said before every file is read; how many outputs there are may depend on the plan.
  const foreseen = networkConfig(first, outputsFor(first, first.classes ?? 2));
  lossSettings({ ...first, headWeights: null }, foreseen);
  requireStatistics(first.batchSize, foreseen);
  if (startsAnew(first)) await readyWeights(first);
  requireWritableFolder(first.out, `--out ${first.out}`);
  return withDevice(first.adapter, precisionOf(first), (device) => {
    // A plan chooses what fits.
    if (first.recipe !== "auto") requireFit(foreseen, workOf(first), device.room);
    return trainOn(device, first, configFor);
  });
}

/** Whether a run begins by these settings, so that it is planned and weights are loaded; a resumed one has its own. */
const startsAnew = ({ resume, out }: TrainConfig): boolean =>
  resume === false || (resume === "auto" && !hasState(runPaths(out)));

/** What a run asks of the memory. */
function workOf(config: TrainConfig): Work {
  return { kind: "training", batch: config.batchSize, repeat: repeatOf(config), precision: precisionOf(config) };
}

/** Throws UsageError where a network that pools to single values is to see one image a batch. */
function requireStatistics(batchSize: number, network: NetworkConfig): void {
  const norm = batchSize < 2 ? normAgainstLoneImages(network) : undefined;
  if (norm === undefined) return;
  throw new UsageError(
    `--batch-size ${batchSize}: ${norm} sees one value a channel, whose statistics do not exist; ` +
      "a training batch of this network needs at least 2 images",
  );
}

async function trainOn(device: Device, first: TrainConfig, configFor: ConfigFor): Promise<number> {
  const opened = await openChecked(first.data, trainingSplits(first.data, first), {
    window: windowOf(first),
    believed: first.classes ?? 0,
  });
  const dataset = chosenImages(opened, first);
  const { config, plan } = await configFor(dataset, device);
  const { width, height } = config.size;
  if (plan !== undefined) note(`the plan is kept as ${runPaths(config.out).plan}; edited, it is read by --config`);
  else if (width !== first.size.width || height !== first.size.height || config.batchSize !== first.batchSize) {
    note(`planned for these images: --size ${width}x${height} --batch-size ${config.batchSize}`);
  }
  const network = networkFor(config, dataset);
  if (first.recipe === "auto") requireFit(network, workOf(config), device.room);
  lossSettings(config, network);
  note(rateLine(config));
  const why = unjudgeable(dataset);
  if (why !== undefined) note(`note: no best checkpoint is kept, ${config.data} cannot judge it: ${why}`);
  if (dataset.channels !== undefined) {
    note("augmentation changes brightness and contrast of each channel; hue, saturation and order are for colours");
  }
  const statistics = pixelStatistics(dataset);
  return observed({ config, network, dataset, statistics, device, ...(plan === undefined ? {} : { plan }) });
}

/** Runs the training, watched and stoppable; returns the exit code. */
async function observed(input: Omit<TrainInput, "observer" | "stopped">): Promise<number> {
  const { config, dataset } = input;
  const observer = watchTraining();
  try {
    const { result, signal } = await stoppable(async (stop) => {
      const stopped = () => stop.signal !== null;
      const result = await runTraining({ ...input, observer, stopped }).catch(lostWhileStopping(stop));
      return { result, signal: stop.signal };
    });
    observer.stop();
    if (result === null) return signal === null ? 1 : exitCodeOf(signal);
    if (!result.finished && signal !== null) {
      note(`stopped after step ${result.steps}; continue with: svanet train --out ${config.out} --resume`);
      return exitCodeOf(signal);
    }
    return ended(result, config, dataset);
  } finally {
    observer.stop();
  }
}

/** Says how a run ended and what comes next; returns the exit code, 1 for a run that diverged. */
function ended(result: TrainResult, config: TrainConfig, dataset: CheckedDataset): number {
  const { steps, best, bestBy, trouble } = result;
  const name = bestBy === "miou" ? "mIoU" : "foreground Dice";
  const diverged = trouble?.kind === "diverged";
  note(`${diverged ? "ended after" : "done:"} ${steps} steps; run folder ${config.out}`);
  const at = isNative(config) ? "the images' own size" : `${config.size.width}x${config.size.height}`;
  if (best !== null) note(`best validation at ${at}: ${name} ${figure(best)} %`);
  if (trouble !== null) for (const line of [trouble.text, trouble.hint]) note(line);
  if (diverged) return 1;
  // Some of its training images stand in val, so that no split of the set tells how good it is.
  if (config.fold !== null) note(`trained on all but fold ${config.fold}, which svanet cv scores`);
  else note(`next: svanet eval ${config.out}${dataset.splits.val ? "" : " --split test"}`);
  return 0;
}

/** A run that is to end is not started again where the GPU goes meanwhile: its last checkpoint is what there is. */
function lostWhileStopping(stop: Stop): (error: unknown) => null {
  return (error) => {
    if (stop.signal === null || !(error instanceof DeviceLostError)) throw error;
    note(error.message);
    return null;
  };
}
