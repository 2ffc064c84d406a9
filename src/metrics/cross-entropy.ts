import { IGNORE_LABEL } from "../labels.ts";
import type { Labels } from "./totals.ts";

/** Mean cross-entropy of pixels (natural logarithm), gathered image by image. Pixels labelled 255 count nowhere. */
export class CrossEntropy {
  #sum = 0;
  #pixels = 0;

  /** Adds an image: logits `[pixels, classes]`, labels `[pixels]` below `classes` or 255. */
  add(logits: Float32Array, target: Labels, classes: number): void {
    for (let pixel = 0; pixel < target.length; pixel++) {
      const label = target[pixel] ?? IGNORE_LABEL;
      if (label === IGNORE_LABEL) continue;
      const first = pixel * classes;
      let highest = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < classes; c++) highest = Math.max(highest, logits[first + c] ?? 0);
      let sum = 0;
      for (let c = 0; c < classes; c++) sum += Math.exp((logits[first + c] ?? 0) - highest);
      this.#sum += Math.log(sum) + highest - (logits[first + label] ?? 0);
      this.#pixels++;
    }
  }

  /** The mean over all pixels added; NaN without any. */
  get value(): number {
    return this.#sum / this.#pixels;
  }
}
