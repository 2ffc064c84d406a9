import { join } from "node:path";
import { decodeChannels, readImageBytes } from "../../data/channel-picture.ts";
import { encodePng } from "../../data/codec/png.ts";
import { decodePicture, type PictureOptions, readBytes } from "../../data/decode.ts";
import type { ShownClass } from "../../data/export/found-object.ts";
import { type PictureFacts, pictureFacts } from "../../data/formats/picture.ts";
import { type ChosenView, viewsText, viewText, type Window } from "../../data/formats/window.ts";
import { drawn, type Picture } from "../../data/image/image.ts";
import { shownInColour } from "../../data/image/shown-channels.ts";
import { UsageError } from "../../errors.ts";
import { NpyFile } from "../../experiment/predict/npy-file.ts";
import { type Format, type OutputPaths, Outputs } from "../../experiment/predict/outputs.ts";
import { furtherOf, type PredictInput } from "../../experiment/predict/predict-inputs.ts";
import {
  openNifti,
  openSeries,
  predictScan,
  readSeries,
  type ScanResult,
} from "../../experiment/predict/predict-scan.ts";
import { predictionPage } from "../../experiment/predict/prediction-page.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { planText } from "../../inference/image-plan.ts";
import type { Predictor } from "../../inference/predictor.ts";
import type { PixelSize } from "../../objects/shape.ts";
import type { PartingDepths } from "../../objects/split.ts";
import type { FileFailures } from "../file-failures.ts";
import { note } from "../print.ts";
import { createProgress } from "../progress.ts";

/** How files are read and what is written of them. */
export interface FileFlags {
  readonly out: string;
  readonly format?: readonly Format[];
  readonly probabilities?: true;
  readonly window?: Window;
  readonly volume?: number;
  readonly page?: number;
  readonly allowGaps?: true;
  /** Channels that pictures for people are drawn of. */
  readonly show?: readonly number[];
  /** Millimetres between columns and rows of pictures. */
  readonly spacing?: PixelSize;
}

/** What was written for one input; a form's path stands under its name. */
interface Written extends Omit<OutputPaths, "png"> {
  readonly image: string;
  /** Class indices: a PNG, of scans a NIfTI file, or a folder of PNGs; left out where neither was asked for. */
  readonly mask?: string;
  readonly overlay: string;
  /** float32 npy: `[height, width, classes]`, of scans `[slices, height, width, classes]`. */
  readonly probabilities?: string;
}

/** What was written for an input, and what a person should know of it. */
interface Result extends Pick<Written, "overlay" | "probabilities"> {
  readonly files: OutputPaths;
  readonly notes?: readonly string[];
  /** What a picture was shown through, where through anything. */
  readonly shown?: readonly ShownPicture[];
}

/** A picture, or a channel of one, and what it was shown through. */
interface ShownPicture {
  readonly stem: string;
  readonly view: ChosenView;
}

/** The files of results, without pictures for people. */
export function pathsOf({ image: _, overlay: __, probabilities: ___, ...files }: Written): string[] {
  return Object.values(files);
}

function writtenOf(image: string, { files, overlay, probabilities }: Result): Written {
  const { png, nifti, ...others } = files;
  const mask = png ?? nifti;
  return {
    image,
    ...(mask === undefined ? {} : { mask }),
    ...(png !== undefined && nifti !== undefined ? { nifti } : {}),
    ...others,
    overlay,
    ...(probabilities === undefined ? {} : { probabilities }),
  };
}

/** Up to so many pictures have a note each about their window. */
const MOST_NAMED = 4;

function shownNotes(shown: readonly ShownPicture[], what: string): string[] {
  if (shown.length <= MOST_NAMED) return shown.map(({ stem, view }) => `${stem}: ${viewText(view)}`);
  return [`${shown.length} ${what} ${viewsText(shown.map(({ view }) => view))}`];
}

interface Work {
  readonly flags: FileFlags;
  readonly facts: CheckpointFacts;
  /** Takes what is wrong with single inputs. */
  readonly failures: FileFailures;
  /** How touching objects are parted. */
  readonly depths?: PartingDepths | undefined;
}

interface Found {
  readonly written: readonly Written[];
  readonly notes: readonly string[];
}

/** Predicts one input after the other, each written when it is done. */
export async function predictFiles(
  predictor: Predictor,
  inputs: readonly PredictInput[],
  { flags, facts, failures, depths }: Work,
): Promise<Found> {
  const classes = facts.classes.map((name, label) => ({
    name,
    colour: facts.colours[label] ?? ([255, 255, 255] as const),
  }));
  const outputs = new Outputs({ folder: flags.out, formats: flags.format, classes, depths });
  const progress = createProgress({ label: "predicting", total: inputs.length });
  const written: Written[] = [];
  const notes: string[] = [];
  const pictures: ShownPicture[] = [];
  try {
    for (const [i, input] of inputs.entries()) {
      const onSlice = (slice: number, slices: number) =>
        progress.update(i, { slice: `${slice}/${slices}`, of: input.stem });
      const work = { flags, facts, classes, outputs, onSlice };
      const results = await failures.over<readonly Result[]>(input.file, async () =>
        input.kind === "image" ? [await predictImage(predictor, input, work)] : predictScans(predictor, input, work),
      );
      for (const result of results ?? []) {
        written.push(writtenOf(input.file, result));
        notes.push(...(result.notes ?? []));
        pictures.push(...(result.shown ?? []));
      }
      progress.update(i + 1);
    }
    outputs.finish();
  } finally {
    outputs.discard();
    progress.stop();
  }
  const seen = inputs.some(({ kind }) => kind !== "image") || pictures.length > 0;
  const unused = flags.window && !seen ? ["--window: pictures of 8 bits are shown as they are"] : [];
  return {
    written,
    notes: [...notes, ...shownNotes(pictures, facts.channels ? "channels of pictures" : "pictures"), ...unused],
  };
}

interface InputWork extends Omit<Work, "failures" | "depths"> {
  readonly classes: readonly ShownClass[];
  readonly outputs: Outputs;
  readonly onSlice: (done: number, total: number) => void;
}

const probabilitiesPath = (flags: FileFlags, stem: string) => join(flags.out, `${stem}-probabilities.npy`);

/** Pixels from which a person is told beforehand what an image takes. */
const LARGE_IMAGE = 2 ** 24;
/** Pixels from which an image might not fit: planning costs a trace, which smaller ones are spared. */
const DOUBTFUL_IMAGE = 2 ** 20;

/** Refuses an image that does not fit here, and says what a very large one takes, before it is decoded. */
function foresee(predictor: Predictor, file: string, facts: PictureFacts, { probabilities, format }: FileFlags): void {
  const pixels = facts.width * facts.height;
  if (pixels < DOUBTFUL_IMAGE) return;
  const plan = predictor.plan(facts, file, probabilities === true || format?.includes("csv") === true);
  if (pixels >= LARGE_IMAGE) note(planText(file, facts, plan));
}

/** An input as the network sees it, and what it is shown through. `foreseen` is told what is known before or, of named channels, after it is decoded. */
async function readInput(
  input: PredictInput,
  options: PictureOptions,
  { channels }: CheckpointFacts,
  foreseen: (facts: PictureFacts) => void,
): Promise<{ readonly image: Picture; readonly shown: readonly ShownPicture[] }> {
  const { file, stem } = input;
  if (channels === undefined) {
    const bytes = await readBytes(file);
    foreseen(await pictureFacts(bytes, file, options.page));
    const { picture, view } = await decodePicture(bytes, file, options);
    return { image: picture, shown: view === undefined ? [] : [{ stem, view }] };
  }
  const source = { image: file, further: furtherOf(input) };
  const bytes = await readImageBytes(source);
  const { picture, views } = await decodeChannels(bytes, source, channels, options, "the network takes");
  foreseen({ width: picture.width, height: picture.height, bytes: picture.data.byteLength });
  const shown = views.flatMap((view, at) =>
    view === undefined ? [] : [{ stem: `${stem} ${channels.names[at]}`, view }],
  );
  return { image: picture, shown };
}

async function predictImage(
  predictor: Predictor,
  input: PredictInput,
  { flags, facts, classes, outputs }: InputWork,
): Promise<Result> {
  const { file, stem } = input;
  const { window: asked, page } = flags;
  const { image, shown } = await readInput(input, { asked, trained: facts.window, page }, facts, (found) =>
    foresee(predictor, file, found, flags),
  );
  const shape = [image.height, image.width, facts.classes.length];
  const npy = flags.probabilities ? new NpyFile(probabilitiesPath(flags, stem), shape) : null;
  const overlay = join(flags.out, `${stem}-overlay.png`);
  try {
    const own = outputs.open({ file, stem, isScan: false, pixelSize: flags.spacing });
    const sink = npy ? (rows: Float32Array) => npy.append(rows) : undefined;
    const { mask, certainty, borders } = await predictor.findOr(own.measures, image, sink);
    npy?.finish();
    own.add(mask, { certainty, borders });
    const files = own.finish();
    writeFileAtomic(overlay, encodePng(predictionPage(shownInColour(drawn(image), flags.show), mask, classes)));
    return { files, overlay, ...(npy ? { probabilities: npy.path } : {}), shown };
  } catch (error) {
    npy?.discard();
    throw error;
  }
}

/** A volume gives one result, a folder of DICOM files one for each series. */
async function predictScans(
  predictor: Predictor,
  input: PredictInput,
  { flags, facts, classes, outputs, onSlice }: InputWork,
): Promise<ScanResult[]> {
  const one = async (scan: Parameters<typeof predictScan>[1], stem: string) => {
    const { window, out: folder } = flags;
    const probabilities = flags.probabilities
      ? { path: probabilitiesPath(flags, stem), classes: facts.classes.length }
      : undefined;
    const pixelSize = scan.pixelSize ?? flags.spacing;
    const own = outputs.open({ file: input.file, stem, isScan: true, pixelSize });
    const target = { folder, stem, classes, outputs: own };
    const [first] = facts.channels?.windows ?? [];
    const trained = facts.window ?? (typeof first === "object" ? first : undefined);
    const { channels } = facts;
    return predictScan(predictor, scan, target, { window, trained, channels, probabilities, onSlice });
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
