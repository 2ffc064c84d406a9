import type { Command } from "commander";
import { COLOUR_NAMES, requireShown } from "../../data/image/shown-channels.ts";
import { UsageError } from "../../errors.ts";
import { readFacts } from "../../experiment/checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../../experiment/checkpoint/facts.ts";
import { checkpointPath, loadNetwork } from "../../experiment/checkpoint/load-run.ts";
import { FORMATS, type Format } from "../../experiment/predict/outputs.ts";
import { Predictor } from "../../experiment/predict/predict.ts";
import { checkTargets, listInputs } from "../../experiment/predict/predict-inputs.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import type { Precision } from "../../training/passes.ts";
import { shownArgument, someOf, wholeNumber, windowArgument } from "../arguments.ts";
import { FileFailures } from "../file-failures.ts";
import { adapterOption, precisionOption } from "../options.ts";
import { addPredictorOptions, type PredictorFlags, predictorOptions } from "../predictor-flags.ts";
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
    .argument("<checkpoint>", "run folder, or a checkpoint file")
    .argument("<files...>", "images, NIfTI volumes, DICOM files, or folders of them")
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

async function predict(run: string, paths: readonly string[], flags: PredictFlags): Promise<void> {
  const path = checkpointPath(run);
  requireWritableFolder(flags.out, `--out ${flags.out}`);
  const { channels } = await readFacts(path);
  requireShown(flags.show, channels?.names ?? COLOUR_NAMES);
  if (flags.page !== undefined && channels !== undefined) {
    throw new UsageError("--page: this network has named channels, which one page cannot hold; leave it out");
  }
  const inputs = listInputs(paths, channels);
  checkTargets(inputs, flags.out, flags.format);
  await withDevice(flags.adapter ?? null, flags.precision, async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const { facts } = checkpoint;
    const predictor = new Predictor(network, checkpoint, predictorOptions(path, facts, flags));
    const failures = new FileFailures(inputs.length);
    makeFolder(flags.out);
    try {
      const { written, notes } = await predictFiles(predictor, inputs, { flags, facts, failures });
      if (flags.json) printJson(written);
      else for (const line of new Set(written.flatMap(pathsOf))) printLine(line);
      for (const text of notes) note(text);
      if (written.length > 0) note(summary(written.length, flags, facts));
    } finally {
      predictor.destroy();
      network.destroy();
    }
    failures.end("predicted");
  });
}

/** What is in the folder now. */
function summary(count: number, { format = ["png"], out }: PredictFlags, { classes }: CheckpointFacts): string {
  const others = format.filter((name) => name !== "png" && name !== "nifti");
  const masks = others.length < format.length ? [`${count} masks (value = class index: ${classes.join(", ")})`] : [];
  const all = [...masks, ...others].join(", ");
  return `${all} and overlays${masks.length > 0 ? "" : ` of ${count} inputs`} in ${out}`;
}
