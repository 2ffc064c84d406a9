import { afterAll, beforeAll, expect, test } from "vitest";
import { Device } from "../../src/kernels/device.ts";
import { noiseBatch, tinyTrainer } from "../support/training.ts";

let device: Device;
beforeAll(async () => {
  device = await Device.open();
});
afterAll(() => device.close());

/** How far one update moves each group, and the network it was. */
async function moved(flags: Parameters<typeof tinyTrainer>[1]) {
  const { network, submit, destroy } = await tinyTrainer(device, {
    weightDecay: 0,
    momentum: 0,
    size: "32",
    batchSize: 2,
    ...flags,
  });
  const arenas = ["weights/encoder", "weights/rest"];
  const read = () => Promise.all(arenas.map(async (arena) => [...(await network.store.readArena(arena)).values()]));
  const before = await read();
  await submit(noiseBatch(0, { size: 32, count: 2 }), { rate: 0.125 });
  const after = await read();
  destroy();
  const [encoder, rest] = after.map((tensors, a) =>
    tensors.map((tensor, t) => tensor.map((value, i) => value - (before[a]?.[t]?.[i] ?? Number.NaN))),
  );
  return { encoder: encoder ?? [], rest: rest ?? [] };
}

test.each([
  ["sgd", 1],
  ["sgd", 2],
  ["adamw", 1],
])(
  "%s, %i batches an update: the encoder moves by its share of the rate, the rest by the whole",
  async (optimizer, accumulate) => {
    const whole = await moved({ optimizer, accumulate });
    const half = await moved({ optimizer, accumulate, encoderRate: 0.5 });
    expect(half.rest).toEqual(whole.rest);
    let largest = 0;
    let apart = 0;
    for (const [t, tensor] of whole.encoder.entries()) {
      for (const [i, value] of tensor.entries()) {
        largest = Math.max(largest, Math.abs(value));
        apart = Math.max(apart, Math.abs((half.encoder[t]?.[i] ?? Number.NaN) - value / 2));
      }
    }
    expect(largest).toBeGreaterThan(1e-3);
    expect(apart).toBeLessThan(1e-6);
  },
);
