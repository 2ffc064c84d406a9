import { ShapeError } from "../../../errors.ts";
import { read, shader, spread, update } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, NO_MACS, type Shapes } from "../../trace/op.ts";
import { sameShape } from "../../trace/shape.ts";

/** Where a norm's statistics lie, in numbers from the beginning of the tensors, and how the running ones follow. */
export interface RunningNorm {
  readonly channels: number;
  /** In the running statistics. */
  readonly mean: number;
  readonly variance: number;
  /** Where those of the batch begin, `[3, channels]`: mean, biased variance, what rounding took from the mean. */
  readonly batch: number;
  readonly momentum: number;
  /** Values per channel that the batch's were taken over: 2 or more. */
  readonly count: number;
}

/** Words of a norm in the table. */
const WORDS = 8;

/** The table of norms that {@link updateRunning} walks, `[norms, 8]`: four places, three factors as bits, and none. */
export function runningTable(norms: readonly RunningNorm[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(norms.length * WORDS);
  const factors = new Float32Array(words.buffer);
  for (const [i, { channels, mean, variance, batch, momentum, count }] of norms.entries()) {
    words.set([channels, mean, variance, batch], i * WORDS);
    factors.set([1 - momentum, momentum, (momentum * count) / Math.max(count - 1, 1)], i * WORDS + 4);
  }
  return words;
}

export const runningTableShape = (norms: number): readonly [number, number] => [norms, WORDS];

const LANES = 64;

/**
 * Moves running statistics towards those of a batch, `running = (1 - momentum) running + momentum batch`, with the
 * variance made unbiased: of as many norms as `norms` (see {@link runningTable}) names in `running` and `batch`. Does
 * nothing when `control` says that the step is skipped.
 */
export const updateRunning = defineOp<unknown>()({
  name: "updateRunning",
  inputs: ["running", "batch", "norms", "control"],
  updates: ["running"],
  shape({ running, batch, norms, control }: Shapes<"running" | "batch" | "norms" | "control">) {
    const [count = 0] = norms;
    if (running.length !== 1 || !sameShape(norms, runningTableShape(count)) || !sameShape(control, [4])) {
      throw new ShapeError(
        `updateRunning: running [${running}], batch [${batch}], norms [${norms}] and control [${control}] must be [numbers], any, [norms, ${WORDS}] and [4]`,
      );
    }
    return null;
  },
  lower: ({ inputs: { running, batch, norms, control }, target }) => {
    const count = norms.shape[0] ?? 0;
    return [
      shader({
        label: "updateRunning",
        target,
        tensors: { running: update(running), batch: read(batch), norms: read(norms), control: read(control) },
        sizes: { count },
        workgroupSize: [LANES],
        workgroups: spread(count, target),
        main: `  let norm = group.x + group.y * groups.x;
  if (norm >= args.count || control_at(0u) != 0u) { return; }
  let row = norm * ${WORDS}u;
  let channels = norms_at(row);
  let mean = norms_at(row + 1u);
  let variance = norms_at(row + 2u);
  let batch = norms_at(row + 3u);
  let keep = bitcast<f32>(norms_at(row + 4u));
  let take = bitcast<f32>(norms_at(row + 5u));
  let unbiased = bitcast<f32>(norms_at(row + 6u));
  for (var i = lane; i < channels; i += ${LANES}u) {
    running_set(mean + i, keep * running_at(mean + i) + take * batch_at(batch + i));
    running_set(variance + i, keep * running_at(variance + i) + unbiased * batch_at(batch + channels + i));
  }`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  derivative: "statistics take no part in the loss",
});
