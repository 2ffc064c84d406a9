import type { Batch } from "../../src/data/feed/batches.ts";
import { random } from "../../src/kernels/random.ts";

/** A batch of noise with a bright square to be found, or a rectangle; a function of `index`. */
export function noiseBatch(index: number, options: { size?: number; width?: number; count?: number } = {}): Batch {
  const { size = 64, width = size, count = 4 } = options;
  const walk = random(11, "test batch", index);
  const images = new Float32Array(count * size * width * 3).map(() => walk.normal());
  const labels = new Int32Array(count * size * width);
  for (let n = 0; n < count; n++) {
    const [top, left] = [walk.integer(size / 2), walk.integer(width / 2)];
    for (let y = top; y < top + size / 3; y++) {
      for (let x = left; x < left + width / 3; x++) {
        const at = (n * size + y) * width + x;
        labels[at] = 1;
        for (let c = 0; c < 3; c++) images[3 * at + c] = (images[3 * at + c] ?? 0) + 2;
      }
    }
  }
  const names = Array.from({ length: count }, (_, n) => `image ${n}`);
  const native = names.map(() => ({ width, height: size }));
  return { images, labels, names, native, width, height: size, epoch: 0, indexInEpoch: index, index };
}
