import { basename, dirname, join } from "node:path";
import { DataError } from "../../errors.ts";
import { readBytes } from "../decode.ts";
import { type DicomFile, looksLikeDicom, readDicom, SEGMENTATION_CLASS } from "../formats/dicom.ts";
import { readSegmentation } from "../formats/dicom-seg.ts";
import { type FramePlace, framesElsewhere, isNamedAsDicom, SeriesList } from "../formats/dicom-series.ts";
import { ownData } from "./own-data.ts";
import type { SeriesTask, SetKind } from "./plan.ts";
import { list, notThis } from "./raw-folder.ts";
import { splitGroups } from "./splits.ts";

const EXPECTED =
  "DICOM files (in folders of any depth): the images of one or more series and segmentation objects (SEG) drawn on them";
/** Folders deeper than this are no longer searched. */
const DEEPEST = 12;

async function* filesUnder(folder: string, depth = 0): AsyncGenerator<string> {
  const { files = [], folders = [] } = (await list(folder)) ?? {};
  for (const name of files) yield join(folder, name);
  if (depth < DEEPEST) for (const name of folders) yield* filesUnder(join(folder, name), depth + 1);
}

/** What is kept of a file while all are listed: not its bytes. */
type Head = Omit<DicomFile, "data">;

interface FoundSegmentation {
  readonly head: Head;
  readonly series: string;
  readonly sources: ReadonlySet<string>;
  readonly labels: readonly string[];
  readonly frames: readonly FramePlace[];
}

interface Found {
  /** Images by series. */
  readonly series: ReadonlyMap<string, readonly Head[]>;
  readonly segmentations: readonly FoundSegmentation[];
}

/** Every DICOM file below `raw`; one that is named as such must be one. */
async function* dicomUnder(raw: string): AsyncGenerator<DicomFile> {
  const strangers = new Map<string, string>();
  const folders = new Set<string>();
  for await (const file of filesUnder(raw)) {
    const bytes = await readBytes(file);
    if (looksLikeDicom(bytes)) {
      folders.add(dirname(file));
      yield readDicom(bytes, file);
    } else if (isNamedAsDicom(basename(file))) strangers.set(dirname(file), file);
  }
  for (const [folder, file] of strangers) if (folders.has(folder)) readDicom(await readBytes(file), file);
}

async function search(raw: string): Promise<Found> {
  const series = new SeriesList<Head>();
  const segmentations: FoundSegmentation[] = [];
  for await (const dicom of dicomUnder(raw)) {
    const { data: _, ...head } = dicom;
    if (dicom.sopClass !== SEGMENTATION_CLASS) {
      series.add(dicom, () => head);
      continue;
    }
    const { series: drawnOn, segments, frames } = readSegmentation(dicom);
    segmentations.push({
      ...{ head, series: drawnOn, labels: [...segments.values()] },
      sources: new Set(frames.flatMap(({ sources }) => sources)),
      frames: frames.map(({ inside, ...frame }) => ({ ...frame, shows: inside.includes(1) })),
    });
  }
  return { series: series.images(), segmentations };
}

/**
 * Sentences about what segmentations show where no image lies; they name no file, which may be called after its patient.
 * Throws DataError unless such frames may be left out.
 */
function framesLost({ series, segmentations }: Found, drawn: ReadonlySet<FoundSegmentation>, allowGaps: boolean) {
  const images = [...series.values()].flat();
  const notes: string[] = [];
  for (const { head, frames } of drawn) {
    const lost = framesElsewhere(frames, images, head.file);
    if (lost.length === 0) continue;
    const what = `${lost.length} of its ${frames.length} frames lie on slices that are not there`;
    const shown = lost.slice(0, 8).join(", ") + (lost.length > 8 ? ` and ${lost.length - 8} more` : "");
    if (!allowGaps) {
      throw new DataError(
        `${head.file}: ${what} (frame ${shown}); add the missing slices, or --allow-gaps leaves these frames out`,
      );
    }
    notes.push(`A segmentation lost frames: ${what}`);
  }
  const others = segmentations.length - drawn.size;
  if (others > 0) notes.push(`${others} segmentations were drawn on series that are not there and were left out`);
  return notes;
}

/** A sentence where files say that text is burnt into their pixels. */
function burntIn(images: readonly Head[]): string[] {
  const [first, ...others] = images.filter(({ burnedIn }) => burnedIn);
  if (first === undefined) return [];
  return [
    `${others.length + 1} of ${images.length} images say that text is burnt into them, such as a patient's name (first: ` +
      `${first.file}); look at them before you share the set`,
  ];
}

/** Numbers in the order of first appearance. */
function numbering(names: readonly string[]): (name: string) => string {
  const distinct = [...new Set(names)];
  return (name) => String(distinct.indexOf(name) + 1).padStart(3, "0");
}

/**
 * Anyone's own DICOM series with segmentation objects. Patients stay unnamed: files are numbered, not called after
 * them.
 */
export const dicomKind: SetKind = {
  name: "dicom",
  summary: "your own DICOM series with segmentation objects (SEG)",
  async plan(raw, settings) {
    const found = await search(raw);
    const { series: bySeries, segmentations } = found;
    if (bySeries.size === 0 || segmentations.length === 0)
      throw await notThis(raw, "DICOM series with masks", EXPECTED);
    const segments = settings.classes ?? [...new Set(segmentations.flatMap(({ labels }) => labels))].sort();
    const unnamed = segmentations.find(({ labels }) => labels.some((label) => !segments.includes(label)));
    if (unnamed !== undefined) {
      throw new DataError(
        `${unnamed.head.file}: has the segments ${unnamed.labels.join(", ")}, --classes names ${segments.join(", ")}`,
      );
    }
    const drawn = [...bySeries].flatMap(([series, members]) => {
      const instances = new Set(members.map(({ sopInstance }) => sopInstance));
      const mine = segmentations.filter(
        (one) => one.series === series || [...one.sources].some((uid) => instances.has(uid)),
      );
      return mine.length > 0 ? [{ series, members, mine }] : [];
    });
    if (drawn.length === 0) {
      throw new DataError(`${raw}: no segmentation refers to a series that is there; add the images it was drawn on`);
    }
    const used = new Set(drawn.flatMap(({ mine }) => mine));
    const lost = framesLost(found, used, settings.allowGaps === true);
    const patientOf = ({ members }: (typeof drawn)[number]) => members[0]?.patient || members[0]?.series || "";
    const splitOf = splitGroups(drawn.map(patientOf), settings, "patients");
    const [patientNumber, seriesNumber] = [
      numbering(drawn.map(patientOf)),
      numbering(drawn.map(({ series }) => series)),
    ];
    const tasks = drawn.map(
      (one): SeriesTask => ({
        kind: "series",
        split: splitOf(patientOf(one)),
        stem: `patient${patientNumber(patientOf(one))}_series${seriesNumber(one.series)}`,
        images: one.members.map(({ file }) => file),
        segmentations: one.mine.map(({ head }) => head.file),
        segments,
        every: settings.every,
        window: settings.window,
        allowGaps: settings.allowGaps,
      }),
    );
    const images = [...bySeries.values()].flat();
    return {
      ...ownData(raw, [...new Set(images.map(({ modality }) => modality))].join(", ") || "DICOM", settings),
      classes: ["background", ...segments],
      tasks,
      notes: [
        "Split by patient, drawn by seed; patients and series are numbered, their names stay out of the files",
        ...burntIn(drawn.flatMap(({ members }) => members)),
        `${used.size} segmentations on ${drawn.length} series; other series were left out`,
        ...lost,
      ],
    };
  },
};
