import type { Command } from "commander";
import { COLOUR_NAMES, requireShown } from "../../data/image/shown-channels.ts";
import { UsageError } from "../../errors.ts";
import { readFacts } from "../../experiment/checkpoint/checkpoint.ts";
import { leadingCheckpoints, requireAlike } from "../../experiment/checkpoint/ensemble.ts";
import { checkpointPath, loadNetwork } from "../../experiment/checkpoint/load-run.ts";
import { FORMATS, type Format } from "../../experiment/predict/outputs.ts";
import { checkTargets, listInputs } from "../../experiment/predict/predict-inputs.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { Predictor } from "../../inference/predictor.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { PartingDepths } from "../../objects/split.ts";
import type { Precision } from "../../training/passes.ts";
import { shownArgument, someOf, spacingArgument, wholeNumber, windowArgument } from "../arguments.ts";
import { FileFailures } from "../file-failures.ts";
import { adapterOption, precisionOption } from "../options.ts";
import {
  addPredictorOptions,
  type PredictorFlags,
  partingDepths,
  partingRule,
  predictorOptions,
} from "../predictor-flags.ts";
import { note, printJson, printLine } from "../print.ts";
import { withDevice } from "../session.ts";
import { type FileFlags, pathsOf, predictFiles } from "./predict-files.ts";

interface PredictFlags extends FileFlags, PredictorFlags {
  readonly precision: Precision;
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet predict`: masks at native size and overlays for images, NIfTI volumes, DICOM series, or folders of them. */
export function register(command: Command): void {
  command
    .argument("<checkpoint>", "run folder, or a checkpoint file; of several in a row the probabilities are averaged")
    .argument("<files...>", "further checkpoints, then images, NIfTI volumes, DICOM files, or folders of them")
    .requiredOption("--out <folder>", "where to write results, and <stem>-overlay.png")
    .option(
      "--format <list>",
      `what to write, of ${FORMATS.join(", ")}; see docs/outputs.md (default: png, of scans nifti)`,
      someOf<Format>(FORMATS),
    );
  addPredictorOptions(command)
    .option(
      "--probabilities",
      "also write <stem>-probabilities.npy: float32, height x width x classes; of scans slices first (docs/data.md)",
    )
    .option("--postprocess", "remove objects by the rules of svanet eval --choose-postprocess (scans: slice by slice)")
    .option(
      "--spacing <mm>",
      "size of a picture's pixels in millimetres, or columns,rows: --format csv then measures in them (scans say it themselves)",
      spacingArgument,
    )
    .option(
      "--window <low,high>",
      "values of scans and deep pictures shown black and white (default: as in training, else the file's, else percentiles)",
      windowArgument,
    )
    .option(
      "--volume <n>",
      "volume of a 4-D NIfTI file, counted from 0; needed where there are several",
      wholeNumber(0),
    )
    .option(
      "--page <n>",
      "page of TIFF stacks and animations, counted from 0; needed where there are several",
      wholeNumber(0),
    )
    .option(
      "--show <channels>",
      "channels that overlays are drawn of, counted from 0: one in grey, or three (default: the first three, else the first)",
      shownArgument,
    )
    .option(
      "--allow-gaps",
      "take DICOM series whose slices do not lie at equal distances; NIfTI cannot hold their places",
    )
    .addOption(precisionOption())
    .addOption(adapterOption())
    .option("--json", "print the written files as JSON")
    .action(predict);
}

async function predict(run: string, given: readonly string[], flags: PredictFlags): Promise<void> {
  const further = leadingCheckpoints(given);
  const paths = given.slice(further);
  if (paths.length === 0)
    throw new UsageError(`no image is given behind the checkpoints (${[run, ...given].join(", ")})`);
  requireUseful(flags);
  const [path, ...others] = [checkpointPath(run), ...given.slice(0, further).map((other) => checkpointPath(other))];
  requireWritableFolder(flags.out, `--out ${flags.out}`);
  const { channels } = await requireFacts([path, ...others]);
  requireShown(flags.show, channels?.names ?? COLOUR_NAMES);
  if (flags.page !== undefined && channels !== undefined) {
    throw new UsageError("--page: this network has named channels, which one page cannot hold; leave it out");
  }
  const inputs = listInputs(paths, channels);
  checkTargets(inputs, flags.out, flags.format);
  await withDevice(flags.adapter ?? null, flags.precision, async (device) => {
    const members = await loadAll(device, [path, ...others]);
    const [{ network, checkpoint }, ...rest] = members;
    const { facts } = checkpoint;
    const predictor = new Predictor(network, checkpoint, { ...predictorOptions(path, facts, flags), further: rest });
    const failures = new FileFailures(inputs.length);
    makeFolder(flags.out);
    try {
      const depths = partingDepths(path, facts, flags);
      if (depths) note(partingText(facts, depths));
      const { written, notes } = await predictFiles(predictor, inputs, { flags, facts, failures, depths });
      if (flags.json) printJson(written);
      else for (const line of new Set(written.flatMap(pathsOf))) printLine(line);
      for (const text of notes) note(text);
      if (written.length > 0) note(summary(written.length, flags, facts));
    } finally {
      predictor.destroy();
      for (const member of members) member.network.destroy();
    }
    failures.end("predicted");
  });
}

/** Refuses flags of objects where nothing that is written tells of objects. */
function requireUseful({ format = [], separate, spacing }: PredictFlags): void {
  const tellsOfObjects = format.some((name) => name !== "png" && name !== "nifti");
  if (separate !== undefined && !tellsOfObjects) {
    throw new UsageError(
      "--separate parts objects, a mask of classes has none: add --format csv, labels, geojson, coco or rois",
    );
  }
  if (spacing !== undefined && !format.includes("csv")) {
    throw new UsageError("--spacing is for what is measured: add --format csv");
  }
}

/** What the first checkpoint says of itself, once all agree where they must. */
async function requireFacts(paths: readonly [string, ...string[]]): Promise<CheckpointFacts> {
  const first = await readFacts(paths[0]);
  const others = await Promise.all(paths.slice(1).map(async (path) => ({ path, facts: await readFacts(path) })));
  requireAlike([{ path: paths[0], facts: first }, ...others]);
  return first;
}

type Loaded = Awaited<ReturnType<typeof loadNetwork>>;

/** Puts every checkpoint's network on the device. */
async function loadAll(device: Device, paths: readonly [string, ...string[]]): Promise<[Loaded, ...Loaded[]]> {
  const first = await loadNetwork(device, paths[0]);
  const others: Loaded[] = [];
  try {
    for (const path of paths.slice(1)) others.push(await loadNetwork(device, path));
  } catch (error) {
    for (const { network } of [first, ...others]) network.destroy();
    throw error;
  }
  return [first, ...others];
}

/** `touching objects: cell parted at a depth of 0.75 px`. */
function partingText(facts: CheckpointFacts, depths: PartingDepths): string {
  const texts = depths.map((depth, at) => `${facts.classes[at + 1]} ${partingRule(depth, facts)}`);
  return `touching objects: ${texts.join(", ")}`;
}

/** What is in the folder now. */
function summary(count: number, { format = ["png"], out }: PredictFlags, { classes }: CheckpointFacts): string {
  const others = format.filter((name) => name !== "png" && name !== "nifti");
  const masks = others.length < format.length ? [`${count} masks (value = class index: ${classes.join(", ")})`] : [];
  const all = [...masks, ...others].join(", ");
  return `${all} and overlays${masks.length > 0 ? "" : ` of ${count} inputs`} in ${out}`;
}
