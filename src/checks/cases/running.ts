import { type RunningNorm, runningTable, updateRunning } from "../../kernels/ops/norm/running.ts";
import { checkOf } from "../check.ts";
import { given, noise } from "../draw.ts";
import { at } from "../tensor.ts";

export const UPDATE_RUNNING = checkOf(updateRunning, {
  expected: ({ running, batch, norms, control }) => {
    const moved = Float64Array.from(running.data);
    for (let row = 0; row < norms.data.length; row += 8) {
      const [channels, mean, variance, from] = [0, 1, 2, 3].map((word) => at(norms.data, row + word)) as Four;
      const [keep, take, unbiased] = [4, 5, 6].map((word) => floatOf(at(norms.data, row + word))) as Three;
      for (let c = 0; c < channels; c++) {
        moved[mean + c] = keep * at(moved, mean + c) + take * at(batch.data, from + c);
        moved[variance + c] = keep * at(moved, variance + c) + unbiased * at(batch.data, from + channels + c);
      }
    }
    const now = at(control.data, 0) === 0 ? moved : running.data;
    return [{ shape: running.shape, at: (i: number) => at(now, i) }];
  },
  tolerance: 1e-6,
  cases: [
    ...[[5], [68, 3, 131]].map((channels) => ({ ...runningCase(channels, 0), about: "a step that counts" })),
    { ...runningCase([5], 1), about: "a step that is skipped", tolerance: 0 },
  ],
});

/**
 * Norms of so many channels behind each other, with gaps that must stay as they are. Of a skipped step the statistics are no
 * numbers, and must not be looked at.
 */
function runningCase(channels: readonly number[], skipped: 0 | 1) {
  const norms: RunningNorm[] = [];
  let [end, batch] = [0, 0];
  for (const [i, c] of channels.entries()) {
    norms.push({ channels: c, mean: end + 1, variance: end + c + 2, batch, momentum: 0.1 * (i + 1), count: 12 - i });
    end += 2 * c + 3;
    batch += 3 * c + 1;
  }
  const words = runningTable(norms);
  return {
    inputs: {
      running: noise([end], { centre: 2 }),
      batch: skipped ? given([batch], () => Number.NaN) : noise([batch]),
      norms: given([norms.length, 8], (i) => at(words, i), "u32"),
      control: given([4], (i) => (i === 0 ? skipped : 0), "u32"),
    },
    attrs: {},
  };
}

type Three = [number, number, number];
type Four = [number, ...Three];

const floatOf = (word: number): number => at(new Float32Array(Uint32Array.of(word).buffer), 0);
