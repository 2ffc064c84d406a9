import { UsageError } from "../../errors.ts";
import { random } from "../../kernels/random.ts";
import type { Sample } from "../dataset/dataset.ts";
import { type AugmentOptions, PAPER_AUGMENTATION } from "../image/augment.ts";
import type { Size } from "../image/image.ts";
import type { PixelStatistics } from "../image/normalise.ts";
import type { BorderClass } from "./borders.ts";
import type { PreparedSample, SampleTask } from "./sample.ts";
import { SamplePool } from "./sample-pool.ts";

export interface Batch {
  /** [n, height, width, channels] channels last, (x / 255 - mean) / std. */
  readonly images: Float32Array<ArrayBuffer>;
  /** [n, height, width], 255 = ignore. */
  readonly labels: Int32Array<ArrayBuffer>;
  /** The n samples' stems. */
  readonly names: readonly string[];
  /** The n images' own sizes. */
  readonly native: readonly Size[];
  readonly width: number;
  readonly height: number;
  readonly epoch: number;
  /** Batches before this one within the epoch. */
  readonly indexInEpoch: number;
  /** Batches before this one since epoch 0: epoch * batchesPerEpoch + indexInEpoch. */
  readonly index: number;
}

interface LoaderOptions {
  /** The split's samples in name order (`CheckedDataset.splits`). */
  readonly samples: readonly Sample[];
  readonly size: Size;
  readonly batchSize: number;
  readonly statistics: PixelStatistics;
  /** Threads; 0 = this one. Ignored with `pool`. */
  readonly workers?: number;
  /** Threads to share with other streams; the stream then leaves them open. */
  readonly pool?: SamplePool;
  /** Batches prepared ahead of the one in use (default 2). */
  readonly prefetch?: number;
}

export interface TrainBatchOptions extends LoaderOptions {
  readonly seed: number;
  /** First batch; by default the first of epoch 0. */
  readonly start?: { readonly epoch: number; readonly indexInEpoch: number };
  /** The stream ends before this epoch; without it, it goes on for ever. */
  readonly epochs?: number;
  readonly augment?: AugmentOptions;
  /** The class that pixels between objects get, in samples with a file of objects. */
  readonly borders?: BorderClass | undefined;
  /** Deliver batches of one image too: networks without a batch norm that would see one value a channel. */
  readonly keepSingle?: boolean;
  /** Called when a batch is planned whose image is left out of its epoch because it would be alone. */
  readonly onLeftOut?: (left: { readonly epoch: number; readonly name: string }) => void;
}

type EvalBatchOptions = LoaderOptions;

/** Batches in order. Leaving a `for await` loop early closes it. */
export interface BatchStream extends AsyncIterableIterator<Batch> {
  /** Milliseconds that `next` waited for data since the start. */
  readonly waitedMs: number;
  /** Ends the stream and its own threads. */
  close(): Promise<void>;
}

/** A batch before its samples are read: its place, and who is in it by places in the split. */
interface BatchOutline {
  readonly epoch: number;
  readonly indexInEpoch: number;
  readonly index: number;
  readonly members: readonly number[];
}

/** Training batches in an epoch: the rest after the full batches counts unless it is a single image. */
export function batchesPerEpoch(count: number, batchSize: number, keepSingle = false): number {
  const rest = count % batchSize;
  return Math.floor(count / batchSize) + (rest > 1 || (rest === 1 && keepSingle) ? 1 : 0);
}

/**
 * Throws UsageError where `count` images make no training batch of at least two; `norm` is the layer that cannot do with
 * one.
 */
export function requireBatches(count: number, batchSize: number, keepSingle = false, norm?: string): void {
  if (batchesPerEpoch(count, batchSize, keepSingle) > 0 && (batchSize >= 2 || keepSingle)) return;
  const why =
    norm === undefined ? "statistics over one pooled value" : `${norm} sees one value a channel, whose statistics`;
  throw new UsageError(
    `a training batch needs at least 2 images (batch size ${batchSize}, ${count} training images): ` +
      `${why} do not exist; raise --batch-size or add images`,
  );
}

/** The order in which an epoch visits the samples: places in the split's name order. */
export function epochOrder(seed: number, epoch: number, count: number): Int32Array {
  return random(seed, "order", epoch).permutation(count);
}

function* trainOutlines(options: TrainBatchOptions, batches: number): Generator<BatchOutline> {
  const {
    samples,
    batchSize,
    seed,
    start = { epoch: 0, indexInEpoch: 0 },
    epochs = Number.POSITIVE_INFINITY,
  } = options;
  let first = start.indexInEpoch;
  for (let epoch = start.epoch; epoch < epochs; epoch++) {
    const order = epochOrder(seed, epoch, samples.length);
    const left = batches * batchSize < samples.length ? samples[order.at(-1) ?? -1] : undefined;
    if (left !== undefined) options.onLeftOut?.({ epoch, name: left.stem });
    for (let indexInEpoch = first; indexInEpoch < batches; indexInEpoch++) {
      const members = [...order.subarray(indexInEpoch * batchSize, (indexInEpoch + 1) * batchSize)];
      yield { epoch, indexInEpoch, index: epoch * batches + indexInEpoch, members };
    }
    first = 0;
  }
}

function* evalOutlines({ samples, batchSize }: EvalBatchOptions): Generator<BatchOutline> {
  for (let first = 0, index = 0; first < samples.length; first += batchSize, index++) {
    const members = Array.from({ length: Math.min(batchSize, samples.length - first) }, (_, i) => first + i);
    yield { epoch: 0, indexInEpoch: index, index, members };
  }
}

function assemble(
  outline: BatchOutline,
  prepared: readonly PreparedSample[],
  { samples, size, statistics }: LoaderOptions,
): Batch {
  const pixels = size.width * size.height;
  const values = pixels * statistics.mean.length;
  const images = new Float32Array(prepared.length * values);
  const labels = new Int32Array(prepared.length * pixels);
  prepared.forEach(({ image, label }, index) => {
    images.set(image, index * values);
    labels.set(label, index * pixels);
  });
  const { members, ...place } = outline;
  return {
    images,
    labels,
    names: members.map((member) => samples[member]?.stem ?? ""),
    native: prepared.map(({ native }) => native),
    ...size,
    ...place,
  };
}

/** Outlines on one side, finished batches on the other, `depth` more of them under way than asked for. */
class PrefetchedBatches implements BatchStream {
  waitedMs = 0;
  #closed = false;
  readonly #ahead: Promise<Batch>[] = [];
  readonly #outlines: Iterator<BatchOutline>;
  readonly #make: (outline: BatchOutline) => Promise<Batch>;
  readonly #depth: number;
  readonly #end: () => Promise<void>;

  constructor(
    outlines: Iterator<BatchOutline>,
    make: (outline: BatchOutline) => Promise<Batch>,
    depth: number,
    end: () => Promise<void>,
  ) {
    this.#outlines = outlines;
    this.#make = make;
    this.#depth = depth;
    this.#end = end;
    this.#fill(depth);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Batch, undefined>> {
    if (!this.#closed) this.#fill(this.#depth + 1);
    const batch = this.#ahead.shift();
    if (batch === undefined) {
      await this.close();
      return { done: true, value: undefined };
    }
    const since = performance.now();
    try {
      return { done: false, value: await batch };
    } catch (error) {
      if (this.#closed) return { done: true, value: undefined };
      await this.close();
      throw error;
    } finally {
      this.waitedMs += performance.now() - since;
    }
  }

  async return(): Promise<IteratorResult<Batch, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ahead.length = 0;
    await this.#end();
  }

  #fill(count: number): void {
    while (this.#ahead.length < count) {
      const outline = this.#outlines.next();
      if (outline.done) return;
      const batch = this.#make(outline.value);
      // Nobody may be waiting for it yet; whoever asks for it in `next` sees the failure.
      batch.catch(() => undefined);
      this.#ahead.push(batch);
    }
  }
}

function streamOf(
  outlines: Iterator<BatchOutline>,
  options: LoaderOptions,
  taskOf: (outline: BatchOutline, member: number) => SampleTask,
) {
  const { pool: shared, workers, prefetch = 2 } = options;
  const pool = shared ?? new SamplePool(workers);
  const make = async (outline: BatchOutline) => {
    const prepared = await Promise.all(outline.members.map((member) => pool.prepare(taskOf(outline, member))));
    return assemble(outline, prepared, options);
  };
  const end = async () => {
    if (shared === undefined) await pool.close();
  };
  return new PrefetchedBatches(outlines, make, prefetch, end);
}

function fileTask({ samples, size, statistics }: LoaderOptions, member: number): Omit<SampleTask, "training"> {
  const sample = samples[member];
  if (sample === undefined) throw new RangeError(`sample ${member} of ${samples.length}`);
  const { image, further, channels, mask, window } = sample;
  return { image, further, channels, mask, window, size, statistics };
}

/**
 * Augmented training batches, epoch after epoch, from any batch of any epoch on, made ahead of the GPU. A sample is a pure
 * function of (seed, epoch, its place in the split), an epoch's order of (seed, epoch): the number of threads and the
 * depth of prefetch cannot matter, and a run can start anywhere. An epoch's last batch is smaller; where it would
 * be a single image it is left out (batch statistics of one pooled value do not exist) and reported. Throws UsageError
 * when no batch of two can be formed at all.
 */
export function trainBatches(options: TrainBatchOptions): BatchStream {
  const { samples, batchSize, seed, augment = PAPER_AUGMENTATION, keepSingle = false, borders } = options;
  const bordersOf = ({ instances }: Pick<Sample, "instances"> = {}) =>
    borders && instances !== undefined ? { borders: { ...borders, instances } } : {};
  requireBatches(samples.length, batchSize, keepSingle);
  const batches = batchesPerEpoch(samples.length, batchSize, keepSingle);
  return streamOf(trainOutlines(options, batches), options, ({ epoch }, index) => ({
    ...fileTask(options, index),
    training: { seed, epoch, index, augment, ...bordersOf(samples[index]) },
  }));
}

/** All samples once, in name order, stretched to `size`; the last batch is smaller. */
export function evalBatches(options: EvalBatchOptions): BatchStream {
  return streamOf(evalOutlines(options), options, (_, member) => ({
    ...fileTask(options, member),
    training: undefined,
  }));
}
