import { beforeAll, describe, expect, test } from "vitest";
import type { TrainFlags } from "../../src/experiment/settings/config.ts";
import { lower } from "../../src/kernels/compile/lower.ts";
import { DEFAULT_TARGET, type Target } from "../../src/kernels/target.ts";
import type { NetworkConfig } from "../../src/model/zoo.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { say } from "../support/say.ts";
import { noiseBatch, tinyTrainer } from "../support/training.ts";
import { tracedStep } from "../support/training-trace.ts";

const STEPS = 30;
const RATE = 1e-4;
/** Fewer pixels, and norms over a handful of them amplify rounding a thousandfold within thirty steps. */
const SIDE = 64;
const BATCH = 4;
/** How far the losses may part, of the loss. */
const TOLERANCE = 1e-4;

const GPU = { software: false, subgroupSize: null } as const;
/** Too few lanes for any tile: every contraction by its definition. */
const PLAIN: Partial<Target> = { ...GPU, workgroupInvocations: 128 };

/** Each fast path by the target that takes it, and dispatches that tell it. */
const PATHS: Readonly<Record<string, { readonly target: Partial<Target>; readonly labels: readonly RegExp[] }>> = {
  "tiles, and Winograd's forms": { target: { ...GPU, computeUnits: 1 }, labels: [/ tile$/, /^winograd/] },
  "tiles whose sums are split": { target: { ...GPU, computeUnits: 128 }, labels: [/ tile$/, /^sum of splits$/] },
  "what the adapter prefers": { target: {}, labels: [] },
};

const UNET: TrainFlags = { model: "unet", encoder: null, width: 8, size: String(SIDE), batchSize: BATCH };

interface Run {
  readonly config: NetworkConfig;
  readonly losses: readonly number[];
}

/** Thirty steps from the same weights, with the kernels of a target. */
async function runBy(target: Partial<Target>): Promise<Run> {
  const device = await openDevice({ target });
  try {
    const { network, submit, destroy } = await tinyTrainer(device, UNET);
    const losses: number[] = [];
    for (let index = 0; index < STEPS; index++) {
      const report = await submit(noiseBatch(index % 3, { size: SIDE, count: BATCH }), { index, rate: RATE });
      losses.push(report?.loss ?? Number.NaN);
    }
    destroy();
    return { config: network.config, losses };
  } finally {
    device.close();
  }
}

describe("thirty steps of a U-Net take the way of the plain kernels", () => {
  let plain: Run;
  beforeAll(async () => {
    plain = await runBy(PLAIN);
  }, 3600_000);

  test.each(Object.entries(PATHS))("with %s", async (path, { target, labels }) => {
    const { config, losses } = await runBy(target);
    const { graph } = tracedStep(config, BATCH).trace;
    const dispatched = lower(graph, { ...DEFAULT_TARGET, ...target }).map(({ label }) => label);
    for (const label of labels) expect(dispatched).toContainEqual(expect.stringMatching(label));
    const apart = losses.map((loss, step) => Math.abs(loss - (plain.losses[step] ?? Number.NaN)) / loss);
    say(`${path}: losses part by at most ${Math.max(...apart).toExponential(1)}`);
    expect(Math.max(...apart)).toBeLessThan(TOLERANCE);
  });
});
