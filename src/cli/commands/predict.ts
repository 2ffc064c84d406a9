import { join } from "node:path";
import type { Command } from "commander";
import { encodePng } from "../../data/codec/png.ts";
import { decodePicture, readBytes } from "../../data/decode.ts";
import { type PictureFacts, pictureFacts } from "../../data/formats/picture.ts";
import { type ChosenView, viewsText, viewText, type Window } from "../../data/formats/window.ts";
import { drawn } from "../../data/image/image.ts";
import { UsageError } from "../../errors.ts";
import type { CheckpointFacts } from "../../experiment/checkpoint/facts.ts";
import { checkpointPath, loadNetwork, runOf } from "../../experiment/checkpoint/load-run.ts";
import { overlay } from "../../experiment/evaluate/overlay.ts";
import { readPostprocess } from "../../experiment/evaluate/postprocess.ts";
import { planText } from "../../experiment/predict/image-plan.ts";
import { NpyFile } from "../../experiment/predict/npy-file.ts";
import { Predictor, type PredictorOptions } from "../../experiment/predict/predict.ts";
import { checkTargets, listInputs, type PredictInput } from "../../experiment/predict/predict-inputs.ts";
import {
  openNifti,
  openSeries,
  predictScan,
  readSeries,
  type ScanResult,
} from "../../experiment/predict/predict-scan.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import type { Precision } from "../../training/passes.ts";
import { share, wholeNumber, windowArgument } from "../arguments.ts";
import { adapterOption, precisionOption } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";
import { withDevice } from "../session.ts";

interface PredictFlags {
  readonly out: string;
  readonly tile?: number | true;
  readonly overlap: number;
  readonly tta?: true;
  readonly probabilities?: true;
  readonly postprocess?: true;
  readonly window?: Window;
  readonly volume?: number;
  readonly page?: number;
  readonly allowGaps?: true;
  readonly precision: Precision;
  readonly adapter?: string;
  readonly json?: true;
}

/** What was written for one input. */
interface Written {
  readonly image: string;
  readonly mask: string;
  readonly overlay: string;
  /** float32 npy: `[height, width, classes]`, of scans `[slices, height, width, classes]`. */
  readonly probabilities?: string;
}

/** What was written for an input, and what a person should know of it. */
interface Result extends Omit<Written, "image"> {
  readonly notes?: readonly string[];
  /** What a picture was shown through, where through anything. */
  readonly shown?: { readonly stem: string; readonly view: ChosenView };
}

/** Up to so many pictures have a note each about their window. */
const MOST_NAMED = 4;

function shownNotes(shown: readonly { readonly stem: string; readonly view: ChosenView }[]): string[] {
  if (shown.length <= MOST_NAMED) return shown.map(({ stem, view }) => `${stem}: ${viewText(view)}`);
  return [`${shown.length} pictures ${viewsText(shown.map(({ view }) => view))}`];
}

/** `svanet predict`: masks at native size and overlays for images, NIfTI volumes, DICOM series, or folders of them. */
export function register(command: Command): void {
  command
    .argument("<checkpoint>", "run folder, or a checkpoint file")
    .argument("<files...>", "images, NIfTI volumes, DICOM files, or folders of them")
    .requiredOption("--out <folder>", "where to write <stem>.png or <stem>.nii.gz, and <stem>-overlay.png")
    .option(
      "--tile [pixels]",
      "cut large images into square tiles (default size: as trained), blended smoothly",
      wholeNumber(1),
    )
    .option("--overlap <share>", "share of a tile that neighbours have in common, at least", share(0.9), 0.5)
    .option("--tta", "average the probabilities of flips and quarter turns (eight views)")
    .option("--probabilities", "also write <stem>-probabilities.npy: float32, height x width x classes")
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
  const inputs = listInputs(paths);
  checkTargets(inputs, flags.out);
  requireWritableFolder(flags.out, `--out ${flags.out}`);
  await withDevice(flags.adapter ?? null, flags.precision, async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const { facts } = checkpoint;
    const predictor = new Predictor(network, checkpoint, predictorOptions(path, facts, flags));
    makeFolder(flags.out);
    let found: Found;
    try {
      found = await predictAll(predictor, inputs, flags, facts);
    } finally {
      predictor.destroy();
      network.destroy();
    }
    const { written, notes } = found;
    if (flags.json) printJson(written);
    else for (const { mask } of written) printLine(mask);
    for (const text of notes) note(text);
    note(`${written.length} masks (value = class index: ${facts.classes.join(", ")}) and overlays in ${flags.out}`);
  });
}

interface Found {
  readonly written: readonly Written[];
  readonly notes: readonly string[];
}

async function predictAll(
  predictor: Predictor,
  inputs: readonly PredictInput[],
  flags: PredictFlags,
  facts: CheckpointFacts,
): Promise<Found> {
  const progress = createProgress({ label: "predicting", total: inputs.length });
  const written: Written[] = [];
  const notes: string[] = [];
  const pictures: NonNullable<Result["shown"]>[] = [];
  try {
    for (const [i, input] of inputs.entries()) {
      const onSlice = (slice: number, slices: number) =>
        progress.update(i, { slice: `${slice}/${slices}`, of: input.stem });
      const results: readonly Result[] =
        input.kind === "image"
          ? [await predictImage(predictor, input, flags, facts)]
          : await predictScans(predictor, input, { flags, facts, onSlice });
      for (const { notes: own = [], shown, ...files } of results) {
        written.push({ image: input.file, ...files });
        notes.push(...own);
        if (shown !== undefined) pictures.push(shown);
      }
      progress.update(i + 1);
    }
  } finally {
    progress.stop();
  }
  const seen = inputs.some(({ kind }) => kind !== "image") || pictures.length > 0;
  const unused = flags.window && !seen ? ["--window: pictures of 8 bits are shown as they are"] : [];
  return { written, notes: [...notes, ...shownNotes(pictures), ...unused] };
}

function predictorOptions(path: string, { config }: CheckpointFacts, flags: PredictFlags): PredictorOptions {
  const { tile, overlap, tta, postprocess, precision } = flags;
  const size = typeof tile === "number" ? { width: tile, height: tile } : config;
  return {
    precision,
    ...(tile === undefined ? {} : { tiles: { size: { width: size.width, height: size.height }, overlap } }),
    ...(tta ? { views: true } : {}),
    ...(postprocess ? { rules: readPostprocess(runOf(path), config.classes).rules } : {}),
  };
}

const probabilitiesPath = (flags: PredictFlags, stem: string) => join(flags.out, `${stem}-probabilities.npy`);

/** Pixels from which a person is told beforehand what an image takes. */
const LARGE_IMAGE = 2 ** 24;
/** Pixels from which an image might not fit: planning costs a trace, which smaller ones are spared. */
const DOUBTFUL_IMAGE = 2 ** 20;

/** Refuses an image that does not fit here, and says what a very large one takes, before it is decoded. */
function foresee(predictor: Predictor, file: string, facts: PictureFacts, { probabilities }: PredictFlags): void {
  const pixels = facts.width * facts.height;
  if (pixels < DOUBTFUL_IMAGE) return;
  const plan = predictor.plan(facts, file, probabilities === true);
  if (pixels >= LARGE_IMAGE) note(planText(file, facts, plan));
}

async function predictImage(
  predictor: Predictor,
  { file, stem }: PredictInput,
  flags: PredictFlags,
  { colours, config, window: trained }: CheckpointFacts,
): Promise<Result> {
  const { window: asked, page } = flags;
  const bytes = await readBytes(file);
  foresee(predictor, file, await pictureFacts(bytes, file, page), flags);
  const { picture: image, view } = await decodePicture(bytes, file, { asked, trained, page });
  const shape = [image.height, image.width, config.classes];
  const npy = flags.probabilities ? new NpyFile(probabilitiesPath(flags, stem), shape) : null;
  const paths = { mask: join(flags.out, `${stem}.png`), overlay: join(flags.out, `${stem}-overlay.png`) };
  try {
    const mask = await predictor.mask(image, npy ? (rows) => npy.append(rows) : undefined);
    npy?.finish();
    writeFileAtomic(paths.mask, encodePng(mask, colours));
    writeFileAtomic(paths.overlay, encodePng(overlay(drawn(image), mask, colours)));
  } catch (error) {
    npy?.discard();
    throw error;
  }
  return { ...paths, ...(npy ? { probabilities: npy.path } : {}), ...(view ? { shown: { stem, view } } : {}) };
}

interface ScanWork {
  readonly flags: PredictFlags;
  readonly facts: CheckpointFacts;
  readonly onSlice: (done: number, total: number) => void;
}

/** A volume gives one result, a folder of DICOM files one for each series. */
async function predictScans(
  predictor: Predictor,
  input: PredictInput,
  { flags, facts, onSlice }: ScanWork,
): Promise<ScanResult[]> {
  const one = async (scan: Parameters<typeof predictScan>[1], stem: string) => {
    const { window } = flags;
    const { classes } = facts.config;
    const probabilities = flags.probabilities ? { path: probabilitiesPath(flags, stem), classes } : undefined;
    const target = { folder: flags.out, stem, colours: facts.colours };
    return predictScan(predictor, scan, target, { window, trained: facts.window, probabilities, onSlice });
  };
  if (input.kind !== "dicom") return [await one(await openNifti(input.file, flags.volume), input.stem)];
  const series = [...(await readSeries(input.files)).values()];
  if (series.length === 0) throw new UsageError(`${input.file}: none of its DICOM files holds an image`);
  const results: ScanResult[] = [];
  for (const [i, images] of series.entries()) {
    const stem = series.length === 1 ? input.stem : `${input.stem}-series${i + 1}`;
    results.push(await one(openSeries(stem, images, flags.allowGaps), stem));
  }
  return results;
}
