import { afterAll, beforeAll, expect, test } from "vitest";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import type { Network } from "../../../src/training/network.ts";
import { noiseBatch } from "../../support/noise-batch.ts";
import { bits, noise } from "../../support/numbers.ts";
import { tinyTrainer } from "../../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const SIDE = 32;
const image = noise(SIDE * SIDE * 3, 3);

/** An evaluation, to be run again and again, and what a program made this moment says. */
async function evaluation(network: Network) {
  const { program, logits, feed } = await network.inference({ batch: 1 });
  const run = async (made = program, of = logits) => {
    feed(made, image);
    made.run();
    return bits(await made.read(of));
  };
  const anew = async () => {
    const other = await network.inference({ batch: 1 });
    try {
      return await run(other.program, other.logits);
    } finally {
      other.program.destroy();
    }
  };
  return { program, run, anew };
}

test("folded norms are computed once, and again after every change of what they are made of", async () => {
  const { network, destroy } = await tinyTrainer(device, { size: String(SIDE) });
  try {
    const { program, run, anew } = await evaluation(network);
    expect(program.once).toBeGreaterThan(50);
    expect(program.dispatches.filter(({ label }) => label === "foldNorm")).toEqual([]);
    const first = await run();
    expect(await run()).toEqual(first);
    const { name, shape } = network.table.list("statistic").at(-1) ?? { name: "", shape: [] };
    network.write(name, new Float32Array(shape[0] ?? 0).fill(3));
    const second = await run();
    expect(second).not.toEqual(first);
    expect(second).toEqual(await anew());
    program.poison();
    expect(await run()).toEqual(second);
    program.destroy();
  } finally {
    destroy();
  }
});

test("an evaluation sees each training step, whether it ran before or not", async () => {
  const { network, submit, destroy } = await tinyTrainer(device, { size: String(SIDE) });
  try {
    const { program, run, anew } = await evaluation(network);
    const before = await run();
    await submit(noiseBatch(0, { size: SIDE }));
    const after = await run();
    expect(after).not.toEqual(before);
    expect(after).toEqual(await anew());
    program.destroy();
  } finally {
    destroy();
  }
});
