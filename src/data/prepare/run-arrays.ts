import { DataError } from "../../errors.ts";
import { type ArrayPart, NpzFile } from "../formats/npz.ts";
import {
  type ChosenView,
  chooseView,
  PERCENTILES,
  shownValues,
  type View,
  viewsText,
  type Window,
} from "../formats/window.ts";
import type { ByteImage } from "../image/image.ts";
import { type ArrayReading, labelMask } from "./labels.ts";
import type { ArrayTask } from "./plan.ts";
import type { Receiver } from "./sink.ts";

/** Rows, columns and channels of an item: [h, w] or [h, w, c]. */
interface Item {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  value(pixel: number, channel: number): number;
}

function itemOf({ shape, at }: ArrayPart, where: string): Item {
  const [height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || height * width === 0) {
    throw new DataError(`${where}: items of shape (${shape.join(", ")}); expected are (rows, columns[, channels])`);
  }
  return { width, height, channels, value: (pixel, channel) => at(pixel * channels + channel) };
}

/** The channel's values. (A loop: `from` with a function is ten times slower.) */
function valuesOf(item: Item, channel: number): Float64Array {
  const values = new Float64Array(item.width * item.height);
  for (let pixel = 0; pixel < values.length; pixel++) {
    values[pixel] = item.value(pixel, channel);
  }
  return values;
}

function bytesThrough(values: Float64Array, view: View): Uint8Array {
  return Uint8Array.from(shownValues(values, view), (value) => Math.round(value));
}

/** Channels side by side in each pixel; fewer than three leave the first colours black. */
function interleaved(item: Item, planes: readonly (Uint8Array | undefined)[]): ByteImage {
  const { width, height } = item;
  const data = new Uint8Array(width * height * 3);
  planes.forEach((plane, channel) => {
    plane?.forEach((value, pixel) => {
      data[pixel * 3 + channel] = value;
    });
  });
  return { width, height, channels: 3, data };
}

/** Nuclear channel as green, membrane channel as blue, each scaled between percentiles of its own non-zero values. */
function tissueImage(item: Item, where: string): ByteImage {
  if (item.channels !== 2)
    throw new DataError(`${where}: ${item.channels} channels; TissueNet has nuclei and membranes`);
  const plane = (channel: number) => {
    const values = valuesOf(item, channel);
    const lit = values.filter((value) => value !== 0);
    const view = chooseView(() => [{ values: lit, width: lit.length }]);
    return lit.length === 0 ? undefined : bytesThrough(values, view);
  };
  return interleaved(item, [undefined, plane(0), plane(1)]);
}

/** Whole cells are the first label map, nuclei the second; nuclei are painted over their cells. */
function tissueMask(item: Item, where: string): ByteImage {
  if (item.channels !== 2) throw new DataError(`${where}: ${item.channels} label maps; TissueNet has cells and nuclei`);
  const { width, height } = item;
  const data = new Uint8Array(width * height);
  for (let pixel = 0; pixel < data.length; pixel++) {
    data[pixel] = item.value(pixel, 1) > 0 ? 2 : item.value(pixel, 0) > 0 ? 1 : 0;
  }
  return { width, height, channels: 1, data };
}

const BYTES: Window = { low: 0, high: 255 };

/** Whether all values of an array are whole numbers from 0 to 255, or none at all. */
async function holdsBytes(npz: NpzFile, name: string, stack: boolean): Promise<boolean> {
  if ((await npz.header(name)).type === "uint8") return true;
  for await (const { shape, at } of stack ? npz.items(name) : [await npz.array(name)]) {
    const count = shape.reduce((product, extent) => product * extent, 1);
    for (let index = 0; index < count; index++) {
      const value = at(index);
      if (Number.isFinite(value) && !(Number.isInteger(value) && value >= 0 && value <= 255)) return false;
    }
  }
  return true;
}

/** One view for all channels of an item: its colours stay in proportion. */
function plainImage(item: Item, window: Window | undefined, where: string): { image: ByteImage; view: ChosenView } {
  if (item.channels !== 1 && item.channels !== 3) {
    throw new DataError(`${where}: ${item.channels} channels; grey (1) and RGB (3) are known`);
  }
  const planes = Array.from({ length: item.channels }, (_, channel) => valuesOf(item, channel));
  const view = chooseView(() => planes.map((values) => ({ values, width: item.width })), { asked: window });
  const bytes = planes.map((plane) => bytesThrough(plane, view));
  const { width, height } = item;
  const [grey] = bytes;
  const isGrey = bytes.length === 1 && grey !== undefined;
  return { image: isGrey ? { width, height, channels: 1, data: grey } : interleaved(item, bytes), view };
}

function plainMask(item: Item, reading: ArrayReading, where: string): ByteImage {
  if (item.channels !== 1) throw new DataError(`${where}: ${item.channels} label maps an image; one is expected`);
  const { width, height } = item;
  const values = new Float64Array(width * height);
  for (let pixel = 0; pixel < values.length; pixel++) values[pixel] = item.value(pixel, 0);
  return labelMask({ width, height, values, nonFinite: 0 }, reading, where);
}

/** Shapes of a pair of arrays; a stack where the labels have more than rows and columns. */
async function isStack(npz: NpzFile, task: ArrayTask): Promise<boolean> {
  const [image, label] = [(await npz.header(task.image)).shape, (await npz.header(task.label)).shape];
  const stack = label.length === 4 || (label.length === 3 && label[2] !== 1);
  const count = stack ? 3 : 2;
  const ranks = (stack ? 1 : 0) + 2;
  const same = Array.from({ length: count }, (_, axis) => image[axis] === label[axis]).every(Boolean);
  if (!same || image.length < ranks) {
    throw new DataError(
      `${task.file}: "${task.image}" has shape (${image.join(", ")}), "${task.label}" (${label.join(", ")}); ` +
        "they must agree in images, rows and columns",
    );
  }
  return stack;
}

/** Writes the items of one file, with what they are shown through. */
class ItemWriter {
  /** What each item was shown through, of those that had a choice. */
  readonly views: ChosenView[] = [];
  readonly #task: ArrayTask;
  readonly #sink: Receiver;
  readonly #window: Window | undefined;

  constructor(task: ArrayTask, sink: Receiver, window: Window | undefined) {
    this.#task = task;
    this.#sink = sink;
    this.#window = window;
  }

  async write(name: string, image: ArrayPart, label: ArrayPart): Promise<void> {
    const task = this.#task;
    if (await this.#sink.isDone(task.split, name)) return;
    const [imageAt, labelAt] = [`${task.file}: "${task.image}"`, `${task.file}: "${task.label}"`];
    const [picture, labels] = [itemOf(image, imageAt), itemOf(label, labelAt)];
    const tissue = task.layout === "tissue";
    await this.#sink.put({
      ...{ split: task.split, imageName: name },
      content: tissue ? tissueImage(picture, imageAt) : this.#plain(picture, imageAt),
      mask: tissue ? tissueMask(labels, labelAt) : plainMask(labels, task, labelAt),
    });
  }

  #plain(item: Item, where: string): ByteImage {
    const { image, view } = plainImage(item, this.#window, where);
    if (this.#window === undefined) this.views.push(view);
    return image;
  }
}

/** Writes every item of an npz file as an image and its mask, one in memory at a time. */
export async function runArrays(task: ArrayTask, sink: Receiver): Promise<void> {
  const npz = await NpzFile.open(task.file);
  try {
    const stack = await isStack(npz, task);
    const bytes = task.layout === "plain" && (await holdsBytes(npz, task.image, stack));
    const writer = new ItemWriter(task, sink, task.window ?? (bytes ? BYTES : undefined));
    if (stack) await writeStack(npz, task, writer);
    else await writer.write(`${task.stem}.png`, await npz.array(task.image), await npz.array(task.label));
    if (writer.views.length > 0) sink.notes.push(`${task.file}: ${viewsText(writer.views)}`);
  } finally {
    await npz.close();
  }
}

async function writeStack(npz: NpzFile, task: ArrayTask, writer: ItemWriter): Promise<void> {
  const labels = npz.items(task.label);
  let index = 0;
  try {
    for await (const image of npz.items(task.image)) {
      const { value, done } = await labels.next();
      if (done === true) throw new DataError(`${task.file}: "${task.label}" ends after ${index} items`);
      await writer.write(`${task.stem}_${String(index).padStart(5, "0")}.png`, image, value);
      index++;
    }
  } finally {
    await labels.return(undefined);
  }
}

/** The sentence about TissueNet's colours and labels. */
export const TISSUE_NOTE =
  "Green is the nuclear channel (X[..., 0]), blue the membrane channel (X[..., 1]), red is empty; each is scaled per image " +
  `from the ${PERCENTILES.low * 100}th to the ${PERCENTILES.high * 100}th percentile of its non-zero values. ` +
  "Class 1 is the cell outside its nucleus (y[..., 0]), class 2 the nucleus (y[..., 1])";
