import { crop, type Picture, type Size } from "../data/image/image.ts";

/** How an image is cut. */
export interface TileOptions {
  /** Largest size of a tile in pixels; an image smaller than it is one tile. */
  readonly size: Size;
  /** Least share of a tile that it has in common with its neighbour, 0 to below 1. */
  readonly overlap: number;
}

/** Share of a tile that neighbours have in common where nobody has chosen one. */
export const TILE_OVERLAP = 0.5;

/** Scores of an image or part of it: `[height, width, classes]`. */
export type Score = (image: Picture) => Promise<Float32Array>;

/** Standard deviation of the weights as a share of the tile. */
const SIGMA = 1 / 8;
/** Weights do not fall below this: at the image's edge a corner of one tile may be all there is. */
const LEAST_WEIGHT = 1e-3;

/** First pixels of the tiles along one axis: evenly spread, the first at 0, the last ending at `length`. */
export function tilePositions(length: number, tile: number, overlap: number): number[] {
  if (tile >= length) return [0];
  const step = Math.max(1, Math.floor(tile * (1 - overlap)));
  const count = Math.ceil((length - tile) / step) + 1;
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - tile)) / (count - 1)));
}

/** How an image of a size is cut. */
export interface Cut {
  /** Tiles of {@link tile}, the network's runs. */
  readonly tiles: number;
  readonly tile: Size;
  /** Bytes of host memory that blending holds: scores and weights of one row of tiles. */
  readonly bytes: number;
}

/** What blending an image of a size takes, before anything is done. */
export function cutOf({ width, height }: Size, classes: number, { size, overlap }: TileOptions): Cut {
  const tile = { width: Math.min(size.width, width), height: Math.min(size.height, height) };
  const [across, down] = [tilePositions(width, tile.width, overlap), tilePositions(height, tile.height, overlap)];
  return { tiles: across.length * down.length, tile, bytes: 4 * tile.height * width * (classes + 1) };
}

/** Bell-shaped weights along one side of a tile: most in the middle, where the network sees all around. */
export function tileWeights(tile: number): Float32Array {
  return Float32Array.from({ length: tile }, (_, i) => {
    const distance = (i + 0.5) / tile - 0.5;
    return Math.max(LEAST_WEIGHT, Math.exp(-0.5 * (distance / SIGMA) ** 2));
  });
}

/**
 * Scores a large image by overlapping tiles that flow smoothly into each other and gives the weighted means row by
 * row: `emit` gets `[rows, width, classes]` from top to bottom, each row once. Memory: scores of one row of tiles.
 */
export async function blendTiles(
  image: Picture,
  classes: number,
  { size, overlap }: TileOptions,
  score: Score,
  emit: (rows: Float32Array) => void,
): Promise<void> {
  const width = Math.min(size.width, image.width);
  const height = Math.min(size.height, image.height);
  const lefts = tilePositions(image.width, width, overlap);
  const tops = tilePositions(image.height, height, overlap);
  if (lefts.length === 1 && tops.length === 1) {
    emit(await score(image));
    return;
  }
  const band = new Band(image.width, classes, { width, height });
  for (const [row, top] of tops.entries()) {
    for (const left of lefts) band.add(left, await score(crop(image, { left, top, width, height })));
    const done = (tops[row + 1] ?? image.height) - top;
    emit(band.take(done));
  }
}

/** The weighted sums of one row of tiles. */
class Band {
  readonly #width: number;
  readonly #classes: number;
  readonly #across: Float32Array;
  readonly #down: Float32Array;
  readonly #sums: Float32Array;
  readonly #weights: Float32Array;

  constructor(width: number, classes: number, tile: Size) {
    this.#width = width;
    this.#classes = classes;
    this.#across = tileWeights(tile.width);
    this.#down = tileWeights(tile.height);
    this.#sums = new Float32Array(tile.height * width * classes);
    this.#weights = new Float32Array(tile.height * width);
  }

  add(left: number, scores: Float32Array): void {
    const k = this.#classes;
    let from = 0;
    for (const [y, down] of this.#down.entries()) {
      for (const [x, across] of this.#across.entries()) {
        const at = y * this.#width + left + x;
        const weight = down * across;
        this.#weights[at] = (this.#weights[at] ?? 0) + weight;
        for (let c = 0; c < k; c++) {
          this.#sums[at * k + c] = (this.#sums[at * k + c] ?? 0) + weight * (scores[from++] ?? 0);
        }
      }
    }
  }

  /** The means of the first rows, which no later tile touches; the rest moves up. */
  take(rows: number): Float32Array {
    const k = this.#classes;
    const cells = rows * this.#width;
    const out = this.#sums.slice(0, cells * k);
    for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) / (this.#weights[Math.floor(i / k)] ?? 1);
    this.#sums.copyWithin(0, cells * k).fill(0, this.#sums.length - cells * k);
    this.#weights.copyWithin(0, cells).fill(0, this.#weights.length - cells);
    return out;
  }
}
