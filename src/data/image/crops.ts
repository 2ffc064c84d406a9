import type { Random } from "../../kernels/random.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { type ByteImage, crop, emptyLike, type Picture, pad, type Size } from "./image.ts";
import { resize, resizeNearest } from "./resample.ts";

/** A picture and its mask, of equal sizes; a mask's first sample is the label, others go where it goes. */
interface Pair<P extends Picture> {
  readonly image: P;
  readonly mask: ByteImage;
}

/** Where a crop lies that aims at nothing: fractions of the free room, uniform in [0, 1). */
interface CropDraws {
  readonly cropLeft: number;
  readonly cropTop: number;
}

/** Where a crop of `foregroundCrops` lies: all uniform in [0, 1). */
export interface ForegroundDraws {
  /** Which class among those present, and which of its pixels in row order. */
  readonly label: number;
  readonly pixel: number;
  /** Place of that pixel within the middle part of the crop. */
  readonly across: number;
  readonly down: number;
}

/**
 * The pixel aimed at lies within the middle 60 % of the crop, anywhere: centred exactly, a network would learn that objects
 * stand in the middle, the more so the smaller they are. Still inside after a turn by 10 degrees.
 */
const MIDDLE = { from: 0.2, to: 0.8 } as const;

/**
 * Draws whether and where a crop aims at an object, from a stream of its own: all other draws of the image stay as they are.
 */
export function drawForeground(random: Random, share: number): ForegroundDraws | undefined {
  const [coin, label, pixel, across, down] = Array.from({ length: 5 }, () => random.uniform());
  if ((coin ?? 1) >= share) return undefined;
  return { label: label ?? 0, pixel: pixel ?? 0, across: across ?? 0, down: down ?? 0 };
}

const place = (fraction: number, room: number) => Math.floor(fraction * (room + 1));

/** The pixel a crop aims at; undefined where the mask holds no object. Counts, then walks: no list of pixels is made. */
function pixelOf(mask: ByteImage, draws: ForegroundDraws): { x: number; y: number } | undefined {
  const counts = new Uint32Array(256);
  const { data, channels, width } = mask;
  for (let at = 0; at < data.length; at += channels) counts[data[at] ?? 0] = (counts[data[at] ?? 0] ?? 0) + 1;
  const present = [...counts.keys()].filter((label) => label > 0 && label !== IGNORE_LABEL && counts[label] !== 0);
  const label = present[Math.floor(draws.label * present.length)];
  if (label === undefined) return undefined;
  let left = Math.floor(draws.pixel * (counts[label] ?? 0));
  let at = 0;
  while (data[at] !== label || left-- > 0) at += channels;
  const pixel = at / channels;
  return { x: pixel % width, y: Math.floor(pixel / width) };
}

/** First column (or row) of a crop of `length` that shows `target` at `fraction` of its middle, kept within `room`. */
function aim(target: number, fraction: number, length: number, room: number): number {
  const inside = Math.floor((MIDDLE.from + fraction * (MIDDLE.to - MIDDLE.from)) * length);
  return Math.min(room, Math.max(0, target - inside));
}

/**
 * Missing columns and rows are padded on both sides (255: white, ignored), then a crop is taken at the drawn place, or
 * where it shows an object.
 */
export function padAndCrop<P extends Picture>(
  { image, mask }: Pair<P>,
  size: Size,
  draws: CropDraws,
  foreground?: ForegroundDraws,
): Pair<P> {
  const columns = Math.max(0, size.width - image.width);
  const rows = Math.max(0, size.height - image.height);
  const border = { left: columns, right: columns, top: rows, bottom: rows };
  const padded = columns + rows > 0;
  const [roomX, roomY] = [image.width + 2 * columns - size.width, image.height + 2 * rows - size.height];
  const box = { ...size, left: place(draws.cropLeft, roomX), top: place(draws.cropTop, roomY) };
  const pixel = foreground === undefined ? undefined : pixelOf(mask, foreground);
  if (foreground !== undefined && pixel !== undefined) {
    box.left = aim(pixel.x + columns, foreground.across, size.width, roomX);
    box.top = aim(pixel.y + rows, foreground.down, size.height, roomY);
  }
  return {
    image: crop(padded ? pad(image, border, 255) : image, box),
    mask: crop(padded ? pad(mask, border, IGNORE_LABEL) : mask, box),
  };
}

/** Factors by which a patch at an image's own resolution is zoomed, as nnU-Net zooms; any between as likely as its inverse. */
const ZOOM = { from: 0.7, to: 1.4 } as const;

/** What decides a patch beside its aim. */
interface PatchDraws extends CropDraws {
  /** Whether the patch is zoomed; by how much, a fraction of the range of factors in [0, 1). */
  readonly zooms: boolean;
  readonly shortSide: number;
}

/**
 * A patch of exactly `size` at the image's own resolution, or zoomed by a factor of {@link ZOOM}: at a drawn place, or where
 * it shows an object. It lies inside the image where that is large enough; else the image lies inside it, and what lies beyond
 * is the image mirrored at its border, ignored in the mask (255).
 */
export function nativeCrop<P extends Picture>(
  { image, mask }: Pair<P>,
  size: Size,
  draws: PatchDraws,
  foreground?: ForegroundDraws,
): Pair<P> {
  const zoom = draws.zooms ? ZOOM.from * (ZOOM.to / ZOOM.from) ** draws.shortSide : 1;
  const window = {
    width: Math.max(1, Math.round(size.width / zoom)),
    height: Math.max(1, Math.round(size.height / zoom)),
  };
  const pixel = foreground === undefined ? undefined : pixelOf(mask, foreground);
  const across = { length: image.width, window: window.width };
  const down = { length: image.height, window: window.height };
  const aimed = foreground !== undefined && pixel !== undefined;
  const left = aimed ? aimFrom(across, pixel.x, foreground.across) : startOf(across, draws.cropLeft);
  const top = aimed ? aimFrom(down, pixel.y, foreground.down) : startOf(down, draws.cropTop);
  const box = { ...window, left, top };
  const cut = { image: mirroredCrop(image, box), mask: cropOr(mask, box, IGNORE_LABEL) };
  if (window.width === size.width && window.height === size.height) return cut;
  return { image: resize(cut.image, size, "bicubic"), mask: resizeNearest(cut.mask, size) };
}

/** An image's side and the part of it that a patch shows. */
interface Side {
  readonly length: number;
  readonly window: number;
}

/** First and last place of a window: inside the image, or round it where it is longer. */
const placesOf = ({ length, window }: Side): readonly [number, number] => [
  Math.min(0, length - window),
  Math.max(0, length - window),
];

function startOf(side: Side, fraction: number): number {
  const [first, last] = placesOf(side);
  return first + place(fraction, last - first);
}

/** As {@link aim}, for windows that may be longer than the image. */
function aimFrom(side: Side, target: number, fraction: number): number {
  const [first, last] = placesOf(side);
  return first + aim(target - first, fraction, side.window, last - first);
}

interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

/** The part inside a box that may leave the image, which is mirrored at its border (the outermost pixels twice), again and again. */
export function mirroredCrop<P extends Picture>(image: P, box: Box): P {
  const columns = mirroredPlaces(box.left, box.width, image.width);
  const rows = mirroredPlaces(box.top, box.height, image.height);
  const { channels } = image;
  const data = emptyLike(image.data, box.width * box.height * channels);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * image.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) data[to++] = image.data[from + channel] ?? 0;
    }
  }
  return { ...image, width: box.width, height: box.height, data };
}

/** Where the pixels of a stretch from `start` on come from along a side of `length` pixels. */
function mirroredPlaces(start: number, count: number, length: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => {
    const turn = (((start + i) % (2 * length)) + 2 * length) % (2 * length);
    return turn < length ? turn : 2 * length - 1 - turn;
  });
}

/** The part inside a box that may leave the mask, `outside` where it does. */
function cropOr(mask: ByteImage, box: Box, outside: number): ByteImage {
  const { left, top, width, height } = box;
  const { channels } = mask;
  const data = new Uint8Array(width * height * channels).fill(outside);
  const [first, last] = [Math.max(0, left), Math.min(mask.width, left + width)];
  for (let row = Math.max(0, top); row < Math.min(mask.height, top + height); row++) {
    const from = row * mask.width;
    const part = mask.data.subarray((from + first) * channels, (from + last) * channels);
    data.set(part, ((row - top) * width + first - left) * channels);
  }
  return { ...mask, width, height, data };
}
