import type { Picture } from "../data/image/image.ts";
import { highest } from "../metrics/highest.ts";
import type { Score } from "./tiles.ts";

/** Scores of `classes` a pixel and, behind them, their squares: what a mean of it tells the spread by. */
export function withSquares(score: Score, classes: number): Score {
  return async (image) => {
    const scores = await score(image);
    const out = new Float32Array(2 * scores.length);
    for (let from = 0; from < scores.length; from += classes) {
      for (let c = 0; c < classes; c++) {
        const value = scores[from + c] ?? 0;
        out[2 * from + c] = value;
        out[2 * from + classes + c] = value * value;
      }
    }
    return out;
  };
}

/** The mean of several scores of an image; of a single one that itself, bit for bit. */
export function meanScore([first, ...others]: readonly [Score, ...Score[]]): Score {
  if (others.length === 0) return first;
  return async (image: Picture) => {
    const sums = (await first(image)).slice();
    for (const score of others) {
      const more = await score(image);
      for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] ?? 0) + (more[at] ?? 0);
    }
    return sums.map((sum) => sum / (others.length + 1));
  };
}

/** How sure a prediction is of each pixel's class, gathered from rows of probabilities from top to bottom. */
export class Certainty {
  /** The probability of the most probable class. */
  readonly probability: Float32Array;
  /** The standard deviation (n) of that probability over all views and checkpoints; undefined where there is one only. */
  readonly deviation: Float32Array | undefined;
  readonly #classes: number;
  #done = 0;

  constructor(pixels: number, classes: number, spread: boolean) {
    this.probability = new Float32Array(pixels);
    this.deviation = spread ? new Float32Array(pixels) : undefined;
    this.#classes = classes;
  }

  /** Takes rows `[pixels, classes]`, and the means of the squares of what they are the means of. */
  add(rows: Float32Array, squares?: Float32Array): void {
    const classes = this.#classes;
    for (let from = 0; from < rows.length; from += classes, this.#done++) {
      const best = from + highest(rows, from, classes);
      const mean = rows[best] ?? 0;
      this.probability[this.#done] = mean;
      if (this.deviation) this.deviation[this.#done] = Math.sqrt(Math.max(0, (squares?.[best] ?? 0) - mean * mean));
    }
  }
}

/** Rows of scores with their squares, taken apart. */
export function apart(rows: Float32Array, classes: number): { scores: Float32Array; squares: Float32Array } {
  const scores = new Float32Array(rows.length / 2);
  const squares = new Float32Array(rows.length / 2);
  for (let from = 0; from < scores.length; from += classes) {
    scores.set(rows.subarray(2 * from, 2 * from + classes), from);
    squares.set(rows.subarray(2 * from + classes, 2 * (from + classes)), from);
  }
  return { scores, squares };
}
