import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDataset, type Sample } from "../../../src/data/dataset/dataset.ts";
import { writePng } from "../../../src/data/decode.ts";
import {
  type Batch,
  type BatchStream,
  batchesPerEpoch,
  epochOrder,
  evalBatches,
  type TrainBatchOptions,
  trainBatches,
} from "../../../src/data/feed/batches.ts";
import { SamplePool } from "../../../src/data/feed/sample-pool.ts";
import { PAPER_AUGMENTATION } from "../../../src/data/image/augment.ts";
import type { ByteImage } from "../../../src/data/image/image.ts";
import { random } from "../../../src/kernels/random.ts";

// Threads start through a loader here; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 60_000 });

let folder = "";
let samples: readonly Sample[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-batches-"));
  for (const name of ["train", "mask"]) await mkdir(join(folder, name));
  for (let index = 0; index < 7; index++) {
    const walk = random(1, "image", index);
    const size = { width: 20 + index, height: 18 };
    const bytes = (channels: 1 | 3, count: number): ByteImage => ({
      ...size,
      channels,
      data: new Uint8Array(size.width * size.height * channels).map(() => walk.integer(count)),
    });
    await writePng(join(folder, "train", `s${index}.png`), bytes(3, 256));
    await writePng(join(folder, "mask", `s${index}.png`), bytes(1, 3));
  }
  samples = (await openDataset(folder)).splits.train ?? [];
});
afterAll(() => rm(folder, { recursive: true }));

const common = () => ({
  samples,
  size: { width: 16, height: 16 },
  batchSize: 3,
  seed: 5,
  statistics: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] } as const,
  workers: 0,
});

async function take(stream: BatchStream, count: number): Promise<Batch[]> {
  const out: Batch[] = [];
  for await (const batch of stream) {
    out.push(batch);
    if (out.length === count) break;
  }
  return out;
}

const train = (options: Partial<TrainBatchOptions>, count = 100) =>
  take(trainBatches({ ...common(), ...options }), count);

describe("training batches", () => {
  test("are equal bit for bit whatever the number of threads and the depth of prefetch", async () => {
    const reference = await train({}, 5);
    expect(reference.map(({ epoch, indexInEpoch, index }) => [epoch, indexInEpoch, index])).toEqual([
      [0, 0, 0],
      [0, 1, 1],
      [1, 0, 2],
      [1, 1, 3],
      [2, 0, 4],
    ]);
    expect(await train({ workers: 1, prefetch: 0 }, 5)).toEqual(reference);
    expect(await train({ workers: 3, prefetch: 4 }, 5)).toEqual(reference);
  });

  test("with crops aimed at objects are equal too, and differ from those without", async () => {
    const augment = { ...PAPER_AUGMENTATION, foregroundCrops: 0.7 };
    const aimed = await train({ augment }, 3);
    expect(await train({ augment, workers: 2, prefetch: 3 }, 3)).toEqual(aimed);
    expect(await train({ augment, start: { epoch: 0, indexInEpoch: 1 } }, 2)).toEqual(aimed.slice(1));
    expect(await train({}, 3)).not.toEqual(aimed);
  });

  test("start anywhere as if never interrupted", async () => {
    const reference = await train({ epochs: 3 });
    expect(reference.length).toBe(6);
    expect(await train({ epochs: 3, start: { epoch: 1, indexInEpoch: 1 } })).toEqual(reference.slice(3));
    expect(await train({ epochs: 3, start: { epoch: 1, indexInEpoch: 2 } })).toEqual(reference.slice(4));
    expect(await train({ epochs: 3, seed: 6 })).not.toEqual(reference);
  });

  test("leave a single last image out and say so", async () => {
    const left: { epoch: number; name: string }[] = [];
    const batches = await train({ epochs: 2, onLeftOut: (one) => left.push(one) });
    expect(batches.map(({ names }) => names.length)).toEqual([3, 3, 3, 3]);
    expect(left.map(({ epoch }) => epoch)).toEqual([0, 1]);
    const seen = [...batches.slice(0, 2).flatMap(({ names }) => names), left[0]?.name];
    expect(seen.sort()).toEqual(samples.map(({ stem }) => stem));
  });

  test("deliver a smaller last batch, and a single image where it is wanted", async () => {
    expect((await train({ batchSize: 5, epochs: 1 })).map(({ names }) => names.length)).toEqual([5, 2]);
    expect((await train({ epochs: 1, keepSingle: true })).map(({ names }) => names.length)).toEqual([3, 3, 1]);
    expect([batchesPerEpoch(7, 3), batchesPerEpoch(8, 3), batchesPerEpoch(9, 3), batchesPerEpoch(7, 3, true)]).toEqual([
      2, 3, 3, 3,
    ]);
    const [batch] = await train({ batchSize: 5 }, 1);
    expect([batch?.images.length, batch?.labels.length]).toEqual([5 * 16 * 16 * 3, 5 * 16 * 16]);
  });

  test("refuse batches of one", () => {
    expect(() => trainBatches({ ...common(), batchSize: 1 })).toThrow(
      "a training batch needs at least 2 images (batch size 1, 7 training images)",
    );
    expect(() => trainBatches({ ...common(), samples: samples.slice(0, 1) })).toThrow(
      "batch size 3, 1 training images",
    );
  });

  test("visit every image once an epoch in an order of their own", () => {
    expect([...epochOrder(1, 0, 50)].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(epochOrder(1, 0, 50)).not.toEqual(epochOrder(1, 1, 50));
  });

  test("measure the time they were waited for", async () => {
    const stream = trainBatches({ ...common(), prefetch: 0 });
    await stream.next();
    expect(stream.waitedMs).toBeGreaterThan(0);
    await stream.close();
    expect((await stream.next()).done).toBe(true);
  });
});

describe("evaluation batches", () => {
  test("hold every image once, in name order, normalised, with its own size", async () => {
    const batches = await take(evalBatches({ ...common(), workers: 1 }), 100);
    expect(batches.flatMap(({ names }) => names)).toEqual(samples.map(({ stem }) => stem));
    expect(batches.flatMap(({ native }) => native.map(({ width }) => width))).toEqual([20, 21, 22, 23, 24, 25, 26]);
    expect(batches.map(({ names }) => names.length)).toEqual([3, 3, 1]);
    const values = batches[0]?.images ?? [];
    expect(Math.min(...values)).toBeCloseTo(-0.5 / 0.2, 0);
    const bytes = [...values].map(
      (value, at) => (value * ([0.2, 0.3, 0.4][at % 3] ?? 0) + ([0.5, 0.4, 0.3][at % 3] ?? 0)) * 255,
    );
    for (const value of bytes.slice(0, 99)) expect(Math.abs(value - Math.round(value))).toBeLessThan(1e-3);
  });

  test("do not depend on the batch's size", async () => {
    const whole = await take(evalBatches({ ...common(), batchSize: 7 }), 1);
    const single = await take(evalBatches({ ...common(), batchSize: 1 }), 7);
    expect(Buffer.concat(single.map(({ images }) => Buffer.from(images.buffer)))).toEqual(
      Buffer.from(whole[0]?.images.buffer ?? new ArrayBuffer(0)),
    );
  });
});

describe("failures", () => {
  test.each([0, 2])("name the damaged file (%i threads)", async (workers) => {
    const damaged = join(folder, "damaged.png");
    await writeFile(damaged, "no image");
    const broken = samples.map((sample, index) => (index === 4 ? { ...sample, image: damaged } : sample));
    const stream = evalBatches({ ...common(), samples: broken, workers });
    expect((await stream.next()).done).toBe(false);
    await expect(stream.next()).rejects.toThrow(/damaged\.png: the image is damaged, cut short/);
    expect((await stream.next()).done).toBe(true);
  });

  test("name the file when it disappears or its mask has another size", async () => {
    const gone = samples.map((sample) => ({ ...sample, mask: join(folder, "gone.png") }));
    await expect(evalBatches({ ...common(), samples: gone }).next()).rejects.toThrow("gone.png: there is no such file");
    const other = samples.map((sample, index) => ({ ...sample, mask: samples[(index + 1) % 7]?.mask ?? "" }));
    await expect(evalBatches({ ...common(), samples: other }).next()).rejects.toThrow(
      "changed since they were checked",
    );
  });

  test("end with a message, not a hang, when a thread dies", async () => {
    const entry = join(folder, "dying.mjs");
    await writeFile(
      entry,
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(3));',
    );
    const pool = new SamplePool(2, pathToFileURL(entry));
    const stream = evalBatches({ ...common(), pool });
    await expect(stream.next()).rejects.toThrow(
      /s\d\.png: the thread that reads data ended unexpectedly \(exit code 3\)/,
    );
    await expect(evalBatches({ ...common(), pool }).next()).rejects.toThrow("ended unexpectedly");
    await pool.close();
  });

  test("let two streams share threads and leave them open", async () => {
    const pool = new SamplePool(1);
    const first = await take(evalBatches({ ...common(), pool }), 1);
    expect(await take(evalBatches({ ...common(), pool }), 1)).toEqual(first);
    await pool.close();
    await expect(evalBatches({ ...common(), pool }).next()).rejects.toThrow("the data loader was closed");
  });
});
