import type { Size } from "../data/image/image.ts";
import { OutOfMemoryError } from "../errors.ts";
import { binary } from "../training/fit.ts";
import type { Network } from "../training/network.ts";
import type { Precision } from "../training/passes.ts";
import { type Cut, cutOf, TILE_OVERLAP, type TileOptions } from "./tiles.ts";

/** An image that is not there yet. */
export interface ImageFacts extends Size {
  /** Bytes of its three channels. */
  readonly bytes: number;
}

/** How an image is predicted. */
export interface ImageWork {
  readonly tiles?: TileOptions | undefined;
  readonly views?: boolean | undefined;
  readonly precision?: Precision | undefined;
  /** Whether the tiles are those of a network that sees no other size. */
  readonly fixed?: boolean | undefined;
  /** Whether probabilities are asked for. */
  readonly probabilities?: boolean | undefined;
  /** Networks whose probabilities are averaged (default: one). */
  readonly networks?: number | undefined;
}

/** What predicting an image takes. */
export interface ImagePlan extends Pick<Cut, "tile"> {
  /** Runs of the network. */
  readonly runs: number;
  /** Bytes of main memory: the picture, scores, what is drawn and found. */
  readonly host: number;
  /** Bytes of GPU memory, at the least. */
  readonly gpu: number;
}

/** Ways to lay a picture on itself. */
const VIEWS = 8;
/** Bytes a pixel for what is drawn and found, and for the two files that are made of it. */
const DRAWN = 8;
/** Sides of tiles that are advised are multiples of it. */
const STEP = 64;

/** Runs of the network on an image, and bytes of main memory for its scores. */
function cut(image: Size, classes: number, { tiles, views, networks = 1 }: ImageWork): Cut {
  const repeats = (views ? VIEWS : 1) * networks;
  if (tiles) {
    const { tiles: count, tile, bytes } = cutOf(image, classes, tiles);
    return { tiles: count * repeats, tile, bytes };
  }
  const scores = 4 * image.width * image.height;
  return { tiles: repeats, tile: image, bytes: scores * (repeats > 1 ? 2 * classes + 1 : classes + 1) };
}

/** Throws OutOfMemoryError where an image cannot be predicted here, before anything of it is made. */
export function planImage(network: Network, image: ImageFacts, work: ImageWork): ImagePlan {
  const { tiles: runs, tile, bytes } = cut(image, network.config.classes, work);
  const { networks = 1, precision } = work;
  const probabilities = work.probabilities === true || work.tiles !== undefined || work.views === true || networks > 1;
  const gpu = networks * network.requireInference({ batch: 1, native: tile, probabilities, precision });
  const host = image.bytes + DRAWN * image.width * image.height + bytes;
  const { room } = network.device;
  const needed = room.shared ? host + gpu : host;
  if (room.host !== null && needed > room.host) {
    throw new OutOfMemoryError(`it needs ${binary(needed)} of memory, and there are ${binary(room.host)}`);
  }
  return { runs, tile, host, gpu };
}

/**
 * The sentence for an image that cannot be predicted as it was to be, with the tiles that can. `name` is its file, or "the
 * image".
 */
export function tooLarge(
  network: Network,
  name: string,
  image: Size,
  work: ImageWork,
  cause: OutOfMemoryError,
): OutOfMemoryError {
  const { width, height } = image;
  const how = work.tiles ? `in tiles of ${sides(cut(image, 1, work).tile)} (--tile)` : "at once";
  const figures =
    `${name}: ${width}x${height} pixels (${((width * height) / 1e6).toFixed(width * height < 1e7 ? 1 : 0)} megapixels) are too many ` +
    `${how}: ${cause.figures}`;
  return new OutOfMemoryError(figures, { advice: adviceFor(network, image, work), cause });
}

function adviceFor(network: Network, image: Size, work: ImageWork): string {
  if (work.fixed) {
    return "this network's tiles have the size of its patches and no other; use another --adapter, or a machine with more memory";
  }
  const overlap = work.tiles?.overlap ?? TILE_OVERLAP;
  const runsOf = (size: Size) => `${cut(image, 1, { ...work, tiles: { size, overlap } }).tiles} runs`;
  const largest = largestTile(network, image, work, overlap);
  if (largest === null) return "no tiles of it fit either; use another --adapter, or a machine with more memory";
  const { width, height } = network.config;
  const most = `--tile ${largest} (${runsOf({ width: largest, height: largest })})`;
  if (width !== height || width >= largest) return `predict it in pieces with ${most} or smaller`;
  return `predict it in pieces, from --tile ${width} (as trained, ${runsOf({ width, height })}) to ${most}`;
}

/** The side of square tiles that fit, of at most half the sides that do not; null where none do. */
function largestTile(network: Network, image: Size, work: ImageWork, overlap: number): number | null {
  const { tile } = cut(image, 1, work);
  for (let side = Math.max(tile.width, tile.height) / 2; side >= STEP; side /= 2) {
    const size = { width: Math.floor(side / STEP) * STEP, height: Math.floor(side / STEP) * STEP };
    if (fits(() => planImage(network, { ...image, bytes: 0 }, { ...work, tiles: { size, overlap } })))
      return size.width;
  }
  return null;
}

function fits(plan: () => ImagePlan): boolean {
  try {
    plan();
    return true;
  } catch (error) {
    if (error instanceof OutOfMemoryError) return false;
    throw error;
  }
}

/** `slide.png: 17000x17000, 289 megapixels: 81 runs on 2048x2048 pixels, about 4.1 GiB of memory and 300 MiB on the GPU`. */
export function planText(name: string, { width, height }: Size, { runs, tile, host, gpu }: ImagePlan): string {
  return (
    `${name}: ${width}x${height}, ${((width * height) / 1e6).toFixed(0)} megapixels: ${runs === 1 ? "one run" : `${runs} runs`} on ` +
    `${sides(tile)} pixels, about ${binary(host)} of memory and ${binary(gpu)} on the GPU`
  );
}

const sides = ({ width, height }: Size): string => `${width}x${height}`;
