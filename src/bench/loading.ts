import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { openDataset, type Sample, samplesOf } from "../data/dataset/dataset.ts";
import { readImage, readMask, writePng } from "../data/decode.ts";
import { trainBatches } from "../data/feed/batches.ts";
import { filled } from "../data/image/image.ts";
import { random } from "../kernels/random.ts";

/** Photographs as dermatoscopes and endoscopes deliver them, and what the network sees of them. */
const PHOTO = { width: 2048, height: 1536 } as const;
const CROP = { width: 512, height: 512 } as const;

export interface LoadingRow {
  readonly what: string;
  /** Threads; 0 = the program's own. */
  readonly workers: number;
  readonly images: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Against decoding the JPEG files alone, in one thread. */
  readonly ofDecoding: number;
}

export interface LoadingBench {
  readonly machine: { readonly processor: string; readonly cores: number };
  readonly photo: typeof PHOTO;
  readonly crop: typeof CROP;
  readonly batchSize: number;
  readonly rows: readonly LoadingRow[];
}

export interface LoadingOptions {
  /** Photographs made for it. */
  readonly images: number;
  /** Times each is read. */
  readonly rounds: number;
  readonly workers: readonly number[];
  readonly batchSize: number;
}

/** A photograph of soft colours and fine grain, so that its JPEG is about as long as a real one, and its mask. */
async function writePhoto(folder: string, index: number): Promise<void> {
  const walk = random(0, "bench loading", index);
  const coarse = new Uint8Array(32 * 24 * 3).map(() => 90 + walk.integer(120));
  const soft = sharp(coarse, { raw: { width: 32, height: 24, channels: 3 } });
  const { data } = await soft
    .resize(PHOTO.width, PHOTO.height, { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const grain = Int8Array.from({ length: 65_536 }, () => walk.integer(13) - 6);
  for (let at = 0; at < data.length; at++) data[at] = (data[at] ?? 0) + (grain[(at * 31 + (at >> 12)) & 65_535] ?? 0);
  const raw = { width: PHOTO.width, height: PHOTO.height, channels: 3 } as const;
  const name = `photo-${String(index).padStart(3, "0")}`;
  await writeFile(join(folder, "train", `${name}.jpg`), await sharp(data, { raw }).jpeg({ quality: 90 }).toBuffer());
  const mask = filled(PHOTO, 1, 0);
  for (let y = 700; y < 760; y++) mask.data.fill(1, y * PHOTO.width + 900, y * PHOTO.width + 980);
  await writePng(join(folder, "mask", `${name}.png`), mask);
}

async function timed(what: string, workers: number, images: number, work: () => Promise<unknown>): Promise<LoadingRow> {
  const since = performance.now();
  await work();
  const seconds = (performance.now() - since) / 1000;
  return { what, workers, images, seconds, imagesPerSecond: images / seconds, ofDecoding: 0 };
}

async function loadBatches(samples: readonly Sample[], epochs: number, workers: number, batchSize: number) {
  const statistics = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  const stream = trainBatches({ samples, size: CROP, batchSize, statistics, workers, seed: 0, epochs: epochs + 1 });
  // The first epoch pays for the start of the threads and is not timed.
  const warm = Math.ceil(samples.length / batchSize);
  for (let batch = 0; batch < warm; batch++) await stream.next();
  return timed(
    `batches of ${CROP.width}x${CROP.height} crops, augmented`,
    workers,
    samples.length * epochs,
    async () => {
      for await (const _batch of stream);
    },
  );
}

/**
 * How fast training batches come from large photographs, beside the bare decoding of their files: measures decoding
 * alone, then the loader with each number of threads, on files made in a temporary folder.
 */
export async function benchLoading({ images, rounds, workers, batchSize }: LoadingOptions): Promise<LoadingBench> {
  const folder = await mkdtemp(join(tmpdir(), "svanet-loading-"));
  try {
    for (const name of ["train", "mask"]) await mkdir(join(folder, name));
    for (let index = 0; index < images; index++) await writePhoto(folder, index);
    const samples = samplesOf(await openDataset(folder), "train");
    const everyFile = async (read: (sample: Sample) => Promise<unknown>) => {
      for (let round = 0; round < rounds; round++) for (const sample of samples) await read(sample);
    };
    const total = images * rounds;
    await everyFile(({ image }) => readImage(image));
    const rows = [
      await timed("decoding the JPEG files alone", 0, total, () => everyFile(({ image }) => readImage(image))),
      await timed("decoding JPEG and mask", 0, total, () =>
        everyFile(({ image, mask }) => Promise.all([readImage(image), readMask(mask)])),
      ),
    ];
    for (const count of workers) rows.push(await loadBatches(samples, rounds, count, batchSize));
    const bare = rows[0]?.imagesPerSecond ?? Number.NaN;
    const machine = { processor: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() };
    const compared = rows.map((row) => ({ ...row, ofDecoding: row.imagesPerSecond / bare }));
    return { machine, photo: PHOTO, crop: CROP, batchSize, rows: compared };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
