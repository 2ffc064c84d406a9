import { join } from "node:path/posix";
import { DataError, UsageError } from "../../../errors.ts";
import type { SplitName } from "../../dataset/dataset.ts";
import { patientOf } from "../../dataset/patients.ts";
import { distributionOf } from "../../formats/distribution.ts";
import { openNifti } from "../../formats/nifti-file.ts";
import { pairedLabels } from "../../formats/placement.ts";
import { LARGEST_MEASURED, PERCENTILES, rangeText, type Window } from "../../formats/window.ts";
import { whole } from "../../masks/reading.ts";
import { MOST_CHANNELS } from "../channels.ts";
import { readingFor } from "../mask-reading.ts";
import { ignoringReading, type NamedLabels } from "../nnunet.ts";
import { largestLabel, ownData, requireNamed, splitUnits } from "../own-data.ts";
import type { PictureTask, PreparationPlan, Settings, VolumeChannel, VolumeTask } from "../plan.ts";
import { splitGroups } from "../splits.ts";
import { someOf } from "./layout.ts";

/** A case: its channels in the order of their numbers, and its labels, as paths on this machine. */
export interface Case {
  readonly stem: string;
  readonly channels: readonly VolumeChannel[];
  readonly label: string;
  readonly split: SplitName | undefined;
}

/** Chosen channels by number. */
export interface ChosenChannels {
  readonly numbers: readonly number[];
  readonly note: string | undefined;
}

const COLOURS = ["red", "green", "blue"];

/** The number of a channel that is named by number or name. */
function numberOf(wanted: string, names: readonly string[]): number {
  const byNumber = /^\d+$/.test(wanted) ? Number(wanted) : -1;
  const at = byNumber >= 0 ? byNumber : names.findIndex((name) => name.toLowerCase() === wanted.toLowerCase());
  if (at >= 0 && at < names.length) return at;
  const listed = names.map((name, number) => `${number} ${name}`).join(", ");
  throw new UsageError(`--channels ${wanted}: there is no such channel; there are ${listed}`);
}

/** Up to three of the channels: those that were asked for, else the first. Throws UsageError for others and for more. */
export function chooseChannels(names: readonly string[], asked: readonly string[] | undefined): ChosenChannels {
  const numbers = asked?.map((name) => numberOf(name, names)) ?? names.map((_, at) => at).slice(0, MOST_CHANNELS);
  if (numbers.length > MOST_CHANNELS) {
    throw new UsageError(
      `--channels names ${numbers.length} channels; a picture takes up to ${MOST_CHANNELS}: red, green, blue`,
    );
  }
  if (new Set(numbers).size !== numbers.length) throw new UsageError("--channels names a channel twice");
  if (names.length === 1) return { numbers, note: undefined };
  const shown =
    numbers.length === 1
      ? [`grey is ${names[numbers[0] ?? 0]}`]
      : numbers.map((at, place) => `${COLOURS[place]} is ${names[at]}`);
  const left = names.filter((_, at) => !numbers.includes(at));
  const rest =
    left.length > 0 ? `; left out: ${left.join(", ")}${asked === undefined ? " (--channels chooses)" : ""}` : "";
  return { numbers, note: `Channels: ${shown.join(", ")}${rest}` };
}

/** Volumes that are looked at for the window of CT, and voxels of each. */
const MOST_VOLUMES = 16;
const MOST_VOXELS = 2 ** 20;

/** Values of the labelled voxels of a scan, evenly thinned. */
async function labelledValues(
  { channels: [channel], label: labelFile }: Case,
  trustOrder: boolean,
): Promise<Float64Array> {
  if (channel === undefined) return new Float64Array();
  const image = await openNifti(channel.file);
  const { label } = pairedLabels(image, await openNifti(labelFile), trustOrder);
  const found: number[] = [];
  for (let z = 0; z < image.size[2]; z++) {
    const { values } = label.slice(z);
    if (!values.some((value) => whole(value) > 0)) continue;
    const scan = image.slice(z, channel.volume).values;
    values.forEach((value, at) => {
      if (whole(value) > 0) found.push(scan[at] ?? 0);
    });
  }
  const step = Math.ceil(found.length / MOST_VOXELS) || 1;
  return Float64Array.from({ length: Math.ceil(found.length / step) }, (_, at) => found[at * step] ?? 0);
}

/**
 * One window for all scans of a CT channel, as nnU-Net chooses it: the 0.5th to 99.5th percentile of the voxels that have a
 * label, of up to 16 cases evenly taken. Undefined where there are none.
 */
export async function ctWindow(cases: readonly Case[], trustOrder: boolean): Promise<Window | undefined> {
  const step = Math.max(1, cases.length / MOST_VOLUMES);
  const taken = Array.from({ length: Math.min(cases.length, MOST_VOLUMES) }, (_, at) => cases[Math.floor(at * step)]);
  const values: { values: Float64Array; width: number }[] = [];
  for (const one of taken) {
    if (one === undefined) continue;
    const own = await labelledValues(one, trustOrder);
    if (own.length > 0) values.push({ values: own, width: own.length });
  }
  const all = distributionOf(() => values, LARGEST_MEASURED);
  if (all.count === 0) return undefined;
  const [low = 0, high = 0] = all
    .quantiles([PERCENTILES.low, PERCENTILES.high])
    .map((value) => Number(value.toPrecision(6)));
  return high > low ? { low, high } : undefined;
}

/** What a set of cases is. */
export interface CaseSet {
  readonly raw: string;
  readonly root: string;
  readonly cases: readonly Case[];
  readonly channelNames: readonly string[];
  readonly labels: NamedLabels | undefined;
  /** Whether the files are NIfTI volumes; else pictures. */
  readonly volumes: boolean;
  readonly modality: string;
  readonly notes: readonly string[];
}

interface Split {
  readonly of: (at: number) => SplitName;
  readonly note: string;
}

/** Splits of the cases that have none: volumes by patient, pictures as those of anyone's own. */
function splitOf({ cases, volumes }: CaseSet, settings: Settings): Split {
  const open = cases.filter(({ split }) => split === undefined);
  if (open.length === 0) return { of: (at) => cases[at]?.split ?? "train", note: "" };
  // Where the source brings a test split, none is drawn.
  const shares = { ...settings, test: cases.some(({ split }) => split === "test") ? 0 : settings.test };
  if (volumes) {
    const patient = (stem: string) => patientOf(stem) ?? stem;
    const drawn = splitGroups(
      open.map(({ stem }) => patient(stem)),
      shares,
      "cases",
    );
    return {
      of: (at) => cases[at]?.split ?? drawn(patient(cases[at]?.stem ?? "")),
      note: "Split by case, drawn by seed; scans of one patient stay together where names tell",
    };
  }
  const drawn = splitUnits(open, shares, "cases");
  const places = new Map(open.map((one, at) => [one, at]));
  return {
    of: (at) => {
      const one = cases[at];
      return one?.split ?? drawn.of(one === undefined ? 0 : (places.get(one) ?? 0));
    },
    note: drawn.note,
  };
}

/** The settings with what labels mean: as asked for, as dataset.json says, of pictures else as every pixel of them says. */
async function labelled({ raw, cases, labels, volumes }: CaseSet, given: Settings, workers: number) {
  const settings = { ...given, classes: given.classes ?? labels?.classes };
  requireNamed(settings);
  const ignoring = given.reading === undefined ? ignoringReading(labels) : undefined;
  if (ignoring !== undefined) {
    const notes = [`Label ${labels?.ignore} is ignored (255), as dataset.json says`];
    return { settings: { ...settings, reading: ignoring }, notes };
  }
  if (volumes) return { settings, notes: [] };
  const files = cases.map(({ label }) => label);
  const { reading, note, classes } = await readingFor(raw, files, settings, workers);
  return { settings: { ...settings, reading, classes }, notes: [note] };
}

/** The plan of cases with several channels and label files of class numbers. */
export async function planCases(set: CaseSet, given: Settings, workers: number): Promise<PreparationPlan> {
  const { cases, channelNames, volumes } = set;
  const { settings, notes: read } = await labelled(set, given, workers);
  const chosen = chooseChannels(channelNames, settings.channels);
  const isCt = (at: number) => /^ct$/i.test(channelNames[at] ?? "");
  const chosenCases = cases.map((one) => ({
    ...one,
    channels: chosen.numbers.flatMap((number) => one.channels[number] ?? []),
  }));
  const ct = chosen.numbers.findIndex(isCt);
  const ofCt = (one: Case) => ({ ...one, channels: one.channels.slice(ct, ct + 1) });
  const window =
    volumes && ct >= 0 && settings.window === undefined
      ? await ctWindow(chosenCases.map(ofCt), settings.trustOrder === true)
      : undefined;
  const split = splitOf(set, settings);
  const tasks = chosenCases.map((one, at) => {
    const own = { ...one, split: split.of(at) };
    // The window of the only channel is that of the set: it travels on into checkpoints.
    if (volumes && chosen.numbers.length === 1)
      return volumeTask(own, { ...settings, window: settings.window ?? window });
    return volumes
      ? volumeTask(own, settings, (place) => (isCt(chosen.numbers[place] ?? -1) ? window : undefined))
      : pictureTask(own, settings);
  });
  const notes = [
    ...[split.note, chosen.note ?? "", ...set.notes].filter((note) => note !== ""),
    ...(volumes ? [windowNote(settings.window, window)] : []),
    ...read,
  ];
  return { ...ownData(set.raw, set.modality, settings), tasks, notes };
}

function windowNote(asked: Window | undefined, ct: Window | undefined): string {
  if (asked !== undefined) return `Intensity scaled from ${rangeText(asked)} in every volume`;
  if (ct === undefined) return "Intensity scaled per volume and channel, from its 0.5th to its 99.5th percentile";
  return (
    `CT is shown from ${rangeText(ct)} in every volume: the 0.5th to 99.5th percentile of the labelled voxels of up to ` +
    `${MOST_VOLUMES} cases, nnU-Net's rule; --window chooses another`
  );
}

type SplitCase = Case & { readonly split: SplitName };

function volumeTask(
  { stem, split, channels, label }: SplitCase,
  settings: Settings,
  windowOf: (place: number) => Window | undefined = () => undefined,
): VolumeTask {
  return {
    ...{ kind: "volume", split, stem, label, image: channels[0]?.file ?? "" },
    channels: channels.map((channel, place) => ({ ...channel, window: windowOf(place) })),
    slices: { kind: "every", step: settings.every, last: false },
    ...{ window: settings.window, largest: largestLabel(settings) },
    ...{ reading: settings.reading, trustOrder: settings.trustOrder },
  };
}

function pictureTask({ stem, split, channels, label }: SplitCase, { reading, window }: Settings): PictureTask {
  const [image, ...others] = channels.map(({ file }) => file);
  return {
    ...{ kind: "picture", split, stem, window, image: image ?? "" },
    ...(others.length > 0 ? { channels: others } : {}),
    layers: [{ file: label, value: "labels", ...(reading === undefined ? {} : { reading }) }],
  };
}

/** Throws DataError where cases lack channels that others have. */
export function requireChannels(
  folder: string,
  count: number,
  cases: ReadonlyMap<string, readonly (string | undefined)[]>,
): void {
  for (const [stem, channels] of cases) {
    const missing = Array.from({ length: count }, (_, at) => at).filter((at) => channels[at] === undefined);
    if (missing.length === 0) continue;
    const names = missing.map((at) => join(folder, `${stem}_${String(at).padStart(4, "0")}`));
    throw new DataError(
      `${someOf(names)}: missing, while others have ${count} channels a case; complete the case or leave it out`,
    );
  }
}
