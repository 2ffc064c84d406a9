import { extname } from "node:path";
import { random } from "../../kernels/random.ts";
import { encodeTiff } from "../codec/tiff-write.ts";
import { readBytes } from "../decode.ts";
import { dicomValues, readDicom } from "../formats/dicom.ts";
import { readSegmentation } from "../formats/dicom-seg.ts";
import { maskOf, sortSeries, spacingNotes, windowNotes } from "../formats/dicom-series.ts";
import type { NiftiVolume } from "../formats/nifti.ts";
import { openNifti } from "../formats/nifti-file.ts";
import { pairedLabels } from "../formats/placement.ts";
import { niftiSpacing, seriesSpacing } from "../formats/spacing.ts";
import { chooseView, drawnSlice, viewText } from "../formats/window.ts";
import { drawn } from "../image/image.ts";
import { inColour, openChannels, readChannels } from "./channels.ts";
import { labelMask, paintLayers } from "./labels.ts";
import type {
  Destination,
  PictureTask,
  SeriesTask,
  SliceChoice,
  Task,
  TaskResult,
  TaskVolume,
  VolumeTask,
} from "./plan.ts";
import { runArrays } from "./run-arrays.ts";
import { type Receiver, Sink } from "./sink.ts";

async function runPicture(task: PictureTask, sink: Receiver): Promise<void> {
  const { page, window, split, channels } = task;
  const isDrawn = page !== undefined || channels !== undefined;
  const imageName = `${task.stem}${isDrawn ? ".png" : extname(task.image).toLowerCase()}`;
  if (await sink.isDone(split, imageName)) return;
  // Decoded although it is copied: a damaged file is found now, not while training.
  const options = { asked: window, page };
  const { picture, views } = await readChannels([task.image, ...(channels ?? [])], options);
  if (isDrawn) sink.notes.push(...views);
  const { mask, instances } = await paintLayers(task, picture);
  await sink.put({ split, imageName, content: isDrawn ? drawn(picture) : task.image, mask, instances });
}

/** The slices a choice takes from a volume of `count`, ascending. */
export function chosenSlices(choice: SliceChoice, count: number): readonly number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  if (choice.kind === "every") {
    return all.filter((index) => index % choice.step === 0 || (choice.last && index === count - 1));
  }
  const [from, to] = [Math.round(count * choice.from), Math.round(count * choice.to)];
  const pool = all.slice(from, Math.max(to, from + 1));
  const order = random(choice.seed, "prepare slices", choice.number).permutation(pool.length);
  const taken = pool.filter((_, at) => (order[at] ?? 0) < Math.ceil(count * choice.share));
  return taken.length > 0 ? taken : all.slice(0, 1);
}

const DIGITS = 4;
const numbered = (stem: string, index: number, { keepValues = false }: Pick<VolumeTask, "keepValues">) =>
  `${stem}_${String(index).padStart(DIGITS, "0")}.${keepValues ? "tif" : "png"}`;

/** What of the files should be known although they can be used. */
function noteHeaders(volumes: readonly NiftiVolume[], task: VolumeTask, sink: Receiver): void {
  for (const { file, header } of volumes) {
    if (header.orientationFrom === "none") sink.notes.push(`${file}: no orientation in its header; taken as RAS`);
  }
  const [image] = volumes;
  if (task.channels === undefined && image !== undefined && image.volumes > 1) {
    sink.notes.push(`${image.file}: ${image.volumes} volumes in one file; the first was taken`);
  }
}

async function runVolume(task: VolumeTask, sink: Receiver): Promise<TaskVolume> {
  const { trustOrder = false, window: asked } = task;
  const [first = { file: task.image, volume: 0 }, ...others] = task.channels ?? [];
  const scans = await openChannels([first, ...others], { asked, trustOrder });
  const image = scans[0].volume;
  const { label, note } = pairedLabels(image, await openNifti(task.label), trustOrder);
  if (note !== undefined) sink.notes.push(note);
  noteHeaders([...new Set(scans.map(({ volume }) => volume)), label], task, sink);
  for (const { channel, view } of scans) {
    const name = scans.length > 1 ? `${channel.file}, volume ${channel.volume}` : channel.file;
    if (asked === undefined && channel.window === undefined) sink.notes.push(`${name}: ${viewText(view)}`);
  }
  const { split } = task;
  let nonFinite = 0;
  for (const z of chosenSlices(task.slices, image.size[2])) {
    const imageName = numbered(task.stem, z, task);
    if (await sink.isDone(split, imageName)) continue;
    const slices = scans.map((scan) => scan.slice(z));
    nonFinite += slices.reduce((sum, slice) => sum + slice.nonFinite, 0);
    const [only] = slices;
    const content =
      task.keepValues && only
        ? encodeTiff(only)
        : inColour(scans.map(({ view }, at) => drawnSlice(slices[at] ?? image.slice(z), view)));
    await sink.put({
      split,
      imageName,
      content,
      mask: labelMask(label.slice(z), task, task.label, z),
    });
  }
  if (nonFinite > 0) sink.notes.push(`${task.image}: ${nonFinite} voxels that are NaN or infinite are shown black`);
  return { name: task.stem, spacing: niftiSpacing(image) };
}

async function runSeries(task: SeriesTask, sink: Receiver): Promise<TaskVolume> {
  const read = async (file: string) => readDicom(await readBytes(file), file);
  const images: ReturnType<typeof readDicom>[] = [];
  for (const file of task.images) images.push(await read(file));
  const segmentations: ReturnType<typeof readSegmentation>[] = [];
  for (const file of task.segmentations) segmentations.push(readSegmentation(await read(file)));
  const sorted = sortSeries(images, task.allowGaps);
  sink.notes.push(...spacingNotes(task.stem, sorted, false));
  function* all() {
    for (const image of sorted) yield dicomValues(image);
  }
  const [first] = sorted;
  const view = chooseView(all, { asked: task.window, file: first?.window, inverted: first?.inverted });
  sink.notes.push(`${task.stem}: ${viewText(view)}`, ...windowNotes(task.stem, view, sorted));
  const classOf = (label: string) => task.segments.indexOf(label) + 1;
  for (const [index, image] of sorted.entries()) {
    const imageName = numbered(task.stem, index, task);
    if (index % task.every !== 0 || (await sink.isDone(task.split, imageName))) continue;
    await sink.put({
      ...{ split: task.split, imageName },
      content: task.keepValues
        ? encodeTiff({ ...dicomValues(image), inverted: image.inverted })
        : drawnSlice(dicomValues(image), { ...view, inverted: image.inverted }),
      mask: maskOf(image, segmentations, classOf),
    });
  }
  return { name: task.stem, spacing: seriesSpacing(sorted) };
}

/** Carries out one task for any receiver; gives the volume that it cut, if it did. Throws as {@link runTask}. */
export async function runInto(task: Task, sink: Receiver): Promise<TaskVolume | undefined> {
  if (task.kind === "volume") return runVolume(task, sink);
  if (task.kind === "series") return runSeries(task, sink);
  await (task.kind === "picture" ? runPicture(task, sink) : runArrays(task, sink));
  return undefined;
}

/**
 * Carries out one task, in any thread: reads raw files, writes images and masks. Depends on the task alone; files that
 * are there already are not made again. Throws DataError naming the raw file.
 */
export async function runTask({ task, destination }: { task: Task; destination: Destination }): Promise<TaskResult> {
  const sink = new Sink(destination);
  const volume = await runInto(task, sink);
  return { files: sink.files, notes: sink.notes, classes: sink.classes, ...(volume ? { volume } : {}) };
}
