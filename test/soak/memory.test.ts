import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadNetwork, openDevice, Predictor } from "../../src/index.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { random } from "../../src/kernels/random.ts";
import { say } from "../support/say.ts";
import { cells, scratchFolder, tinyConfig, trainHere } from "../support/training.ts";

const STEPS = 5000;
const PREDICTIONS = 1000;
/** Bytes that the process may hold more at the end than after its first third. */
const GROWTH = 48 * 2 ** 20;

const scratch = scratchFolder();
const data = join(scratch.path, "cells");
const run = join(scratch.path, "run");
let device: Device;

beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

/** Resident bytes, read now and then; the median of a part does not follow the collector's waves. */
class Resident {
  readonly #values: number[] = [];

  read(): void {
    this.#values.push(process.memoryUsage().rss);
  }

  /** Medians of the second and of the last third. */
  get thirds(): readonly [number, number] {
    const third = Math.floor(this.#values.length / 3);
    const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
    return [median(this.#values.slice(third, 2 * third)), median(this.#values.slice(-third))];
  }

  expectFlat(what: string): void {
    const [before, after] = this.thirds;
    const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
    say(`${what}: ${mebibytes(before)} MiB in the second third, ${mebibytes(after)} MiB in the last`);
    expect(after - before).toBeLessThan(GROWTH);
  }
}

test(`${STEPS} steps of training hold as much memory at their end as before`, async () => {
  const set = await cells(data, 10, 2);
  const resident = new Resident();
  const observer = {
    note() {},
    validated() {},
    step: ({ step }: { readonly step: number }) => {
      if (step % 20 === 0) resident.read();
    },
  };
  const config = tinyConfig({ data, out: run, size: "32", steps: STEPS, evalEvery: 100 });
  await trainHere(device, set, config, { observer });
  resident.expectFlat(`${STEPS} steps`);
});

test(`${PREDICTIONS} predictions of changing size hold as much memory at their end as before`, async () => {
  const { network, checkpoint } = await loadNetwork(device, join(run, "checkpoints/last.safetensors"));
  const predictor = new Predictor(network, checkpoint);
  const resident = new Resident();
  const walk = random(7, "sizes");
  for (let n = 0; n < PREDICTIONS; n++) {
    const [width, height] = [16 + walk.integer(100), 16 + walk.integer(100)];
    const image = { width, height, channels: 3 as const, data: new Uint8Array(width * height * 3).fill(n) };
    const mask = await predictor.mask(image);
    expect(mask.data).toHaveLength(width * height);
    if (n % 4 === 0) resident.read();
  }
  predictor.destroy();
  network.destroy();
  resident.expectFlat(`${PREDICTIONS} predictions`);
});
