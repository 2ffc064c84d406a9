import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve, sep } from "node:path";
import type { ChannelPlan } from "../../data/channels.ts";
import { completeGroups, isImageName } from "../../data/dataset/channel-files.ts";
import { IMAGE_EXTENSIONS } from "../../data/decode.ts";
import { looksLikeDicom } from "../../data/formats/dicom.ts";
import { isNamedAsDicom } from "../../data/formats/dicom-series.ts";
import { UsageError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { type Format, outputName, SHARED_NAMES, usualFormat } from "./outputs.ts";

/** One thing to be predicted; `stem` names what is written. */
export type PredictInput =
  | { readonly kind: "nifti"; readonly file: string; readonly stem: string }
  | {
      readonly kind: "image";
      readonly file: string;
      readonly stem: string;
      /** The files of the channels after the first, where each has one. */
      readonly further?: readonly string[];
    }
  | { readonly kind: "dicom"; readonly file: string; readonly stem: string; readonly files: readonly string[] };

const NIFTI_ENDING = /\.nii(\.gz)?$/i;

/** More than the 132 bytes by which DICOM is told. */
const FIRST_BYTES = 256;

/** Empty where the file cannot be opened: whoever reads it says why, and one of many must not end the rest. */
function firstBytes(file: string): Uint8Array {
  const bytes = new Uint8Array(FIRST_BYTES);
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch {
    return bytes.subarray(0, 0);
  }
  try {
    return bytes.subarray(0, readSync(handle, bytes));
  } finally {
    closeSync(handle);
  }
}

function isDicom(file: string): boolean {
  return /\.(dcm|ima)$/i.test(file) || (!extname(file).match(/^\.[a-z]/i) && looksLikeDicom(firstBytes(file)));
}

function inputOf(file: string, channels?: ChannelPlan): PredictInput | undefined {
  const name = basename(file);
  if (NIFTI_ENDING.test(name)) return { kind: "nifti", file, stem: name.replace(NIFTI_ENDING, "") };
  if (isImageName(name, channels)) {
    return { kind: "image", file, stem: basename(name, extname(name)) };
  }
  if (isDicom(file)) return { kind: "dicom", file, stem: basename(name, extname(name)), files: [file] };
  return undefined;
}

/** A folder's images and volumes in name order; its DICOM files are one input, parted into series later. */
function folderInputs(folder: string, channels?: ChannelPlan): PredictInput[] {
  const files = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true) // by a link
    .sort();
  for (const file of files) requireRegularFile(file);
  const found = files.flatMap((file) => inputOf(file, channels) ?? []);
  const recognised = found.flatMap(({ kind, file }) => (kind === "dicom" ? [file] : []));
  // Beside DICOM files, one that is named as such and is none is a damaged slice: its reader says so.
  const damaged = files.filter((file) => inputOf(file) === undefined && isNamedAsDicom(basename(file)));
  const dicom = recognised.length > 0 ? [...recognised, ...damaged] : [];
  const rest = found.filter(({ kind }) => kind !== "dicom");
  if (found.length === 0) {
    throw new UsageError(
      `${folder} holds no image (${[...IMAGE_EXTENSIONS].join(", ")}), NIfTI volume (.nii, .nii.gz) or DICOM file`,
    );
  }
  const stem = basename(resolve(folder));
  return dicom.length === 0 ? rest : [...rest, { kind: "dicom", file: folder, stem, files: dicom }];
}

/**
 * What a person asks to have predicted: the images, NIfTI volumes and DICOM series among files and in folders.
 * UsageError for what does not exist or is of no kind that is read. Of a network with named channels `STEM_0000`, `STEM_0001`, ...
 * are one input where there is one file for each channel.
 */
export function listInputs(paths: readonly string[], channels?: ChannelPlan): PredictInput[] {
  const inputs = paths.flatMap((path) => {
    if (!existsSync(path)) {
      throw new UsageError(`${path} does not exist: give images, NIfTI volumes, DICOM files or folders of them`);
    }
    if (statSync(path).isDirectory()) return folderInputs(path, channels);
    requireRegularFile(path);
    const input = inputOf(path, channels);
    // Whatever else was named is tried as an image: its decoder says what is wrong.
    return [input ?? { kind: "image" as const, file: path, stem: basename(path, extname(path)) }];
  });
  return channels === undefined ? withoutChannel(inputs) : groupedInputs(inputs, channels);
}

/** nnU-Net's number of the first channel behind a case's name. */
const FIRST_CHANNEL = /_0000$/;

/**
 * Names results by case, as nnU-Net does: `t_000` for `t_000_0000.nii.gz`, where every NIfTI volume ends so, and for
 * pictures where there are at least two and all end so (a first frame alone is no case).
 */
function withoutChannel(inputs: readonly PredictInput[]): PredictInput[] {
  const cases = (["nifti", "image"] as const).filter((kind) => {
    const own = inputs.filter((input) => input.kind === kind);
    return own.length >= (kind === "nifti" ? 1 : 2) && own.every(({ stem }) => FIRST_CHANNEL.test(stem));
  });
  return inputs.map((input) =>
    cases.some((kind) => kind === input.kind) ? { ...input, stem: input.stem.replace(FIRST_CHANNEL, "") } : input,
  );
}

/** Pictures that are the channels of one image as one input. */
function groupedInputs(inputs: readonly PredictInput[], channels: ChannelPlan): PredictInput[] {
  const pictures = inputs.filter((input) => input.kind === "image");
  const folders = new Set(pictures.map(({ file }) => dirname(file)));
  const grouped = [...folders].flatMap((folder) => {
    const own = pictures.filter(({ file }) => dirname(file) === folder).map(({ file }) => basename(file));
    return completeGroups(own, channels).map(({ stem, names: [name = "", ...others] }): PredictInput => {
      const further = others.map((other) => join(folder, other));
      return { kind: "image", file: join(folder, name), stem, ...(further.length > 0 ? { further } : {}) };
    });
  });
  return [...grouped, ...withoutChannel(inputs.filter((input) => input.kind !== "image"))];
}

/** Names in the folder of results that an input's are written under; of a folder of slices its own. */
function namesOf({ kind, stem }: PredictInput, formats: readonly Format[] | undefined): string[] {
  const isScan = kind !== "image";
  const own = (formats ?? [usualFormat(isScan)]).map((format) => outputName(format, stem, isScan));
  return [...own, `${stem}-overlay.png`];
}

/** The files of an input's channels after the first. */
export const furtherOf = (input: PredictInput): readonly string[] | undefined =>
  input.kind === "image" ? input.further : undefined;

/** Throws UsageError where two results would have one name, or a result would replace an input. */
export function checkTargets(inputs: readonly PredictInput[], out: string, formats?: readonly Format[]): void {
  const seen = new Map<string, string>();
  const files = inputs.flatMap((input) => [input.file, ...(furtherOf(input) ?? [])]).map((file) => resolve(file));
  for (const input of inputs) {
    for (const name of namesOf(input, formats).filter((own) => !SHARED_NAMES.includes(own))) {
      const other = seen.get(name);
      if (other !== undefined) {
        throw new UsageError(
          `${other} and ${input.file} would both be written as ${name}: predict them into two --out folders`,
        );
      }
      seen.set(name, input.file);
      const target = resolve(out, name);
      if (files.some((file) => file === target || file.startsWith(`${target}${sep}`))) {
        throw new UsageError(
          `--out ${out}: ${join(out, name)} is an input and would be replaced; choose another folder`,
        );
      }
    }
  }
}
