import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { readBytes } from "../decode.ts";
import { type DicomFile, looksLikeDicom, readDicom, SEGMENTATION_CLASS } from "../formats/dicom.ts";
import { readSegmentation } from "../formats/dicom-seg.ts";
import { ownData } from "./generic.ts";
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

interface Found {
  readonly images: readonly Head[];
  readonly segmentations: readonly {
    head: Head;
    series: string;
    sources: ReadonlySet<string>;
    labels: readonly string[];
  }[];
}

async function search(raw: string): Promise<Found> {
  const images: Head[] = [];
  const segmentations: Found["segmentations"][number][] = [];
  for await (const file of filesUnder(raw)) {
    const bytes = await readBytes(file);
    if (!looksLikeDicom(bytes)) continue;
    const dicom = readDicom(bytes, file);
    const { data: _, ...head } = dicom;
    if (dicom.sopClass === SEGMENTATION_CLASS) {
      const { series, segments, frames } = readSegmentation(dicom);
      segmentations.push({
        head,
        series,
        sources: new Set(frames.flatMap(({ sources }) => sources)),
        labels: [...segments.values()],
      });
    } else if (dicom.rows > 0 && dicom.columns > 0) {
      images.push(head);
    }
  }
  return { images, segmentations };
}

function groupBySeries(images: readonly Head[]): ReadonlyMap<string, readonly Head[]> {
  const series = new Map<string, Head[]>();
  for (const image of images) series.set(image.series, [...(series.get(image.series) ?? []), image]);
  return series;
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
    const { images, segmentations } = await search(raw);
    if (images.length === 0 || segmentations.length === 0)
      throw await notThis(raw, "DICOM series with masks", EXPECTED);
    const segments = settings.classes ?? [...new Set(segmentations.flatMap(({ labels }) => labels))].sort();
    const unnamed = segmentations.find(({ labels }) => labels.some((label) => !segments.includes(label)));
    if (unnamed !== undefined) {
      throw new DataError(
        `${unnamed.head.file}: has the segments ${unnamed.labels.join(", ")}, --classes names ${segments.join(", ")}`,
      );
    }
    const drawn = [...groupBySeries(images)].flatMap(([series, members]) => {
      const instances = new Set(members.map(({ sopInstance }) => sopInstance));
      const mine = segmentations.filter(
        (one) => one.series === series || [...one.sources].some((uid) => instances.has(uid)),
      );
      return mine.length > 0 ? [{ series, members, mine }] : [];
    });
    if (drawn.length === 0) {
      throw new DataError(`${raw}: no segmentation refers to a series that is there; add the images it was drawn on`);
    }
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
      }),
    );
    return {
      ...ownData(raw, [...new Set(images.map(({ modality }) => modality))].join(", ") || "DICOM", settings),
      classes: ["background", ...segments],
      tasks,
      notes: [
        "Split by patient, drawn by seed; patients and series are numbered, their names stay out of the files",
        ...burntIn(drawn.flatMap(({ members }) => members)),
        `${segmentations.length} segmentations on ${drawn.length} series; other series were left out`,
      ],
    };
  },
};
