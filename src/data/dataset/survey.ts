import type { ChannelPlan } from "../channels.ts";
import type { Window } from "../formats/window.ts";
import { defaultWorkers, ThreadPool, threadProgram } from "../thread-pool.ts";
import { type Dataset, type Sample, SPLIT_NAMES, type SplitName } from "./dataset.ts";
import { type FactsAnswer, type FactsTask, type ImageFacts, type MaskFacts, readFacts } from "./file-facts.ts";
import { defaultIndexFile, type FactsReader, FileIndex } from "./file-index.ts";
import { type Problem, problem, unreadable } from "./problems.ts";

/** A pair whose two files are readable and of one size. */
export interface SurveyedSample extends Sample {
  readonly imageFacts: ImageFacts;
  readonly maskFacts: MaskFacts;
}

export interface SplitSurvey {
  readonly split: SplitName;
  /** In the order of the split. */
  readonly samples: readonly SurveyedSample[];
  /** Pairing, then reading, in the order of the split. */
  readonly problems: readonly Problem[];
}

export interface Survey {
  readonly splits: readonly SplitSurvey[];
  /** Files decoded now; 0 = all were known from the index. */
  readonly decoded: number;
  /** SHA-256 of every file, by its name in the dataset's folder. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Where what was learnt is kept. */
  readonly indexFile: string;
  /** A sentence when the index could not be written. */
  readonly unsaved: string | undefined;
}

export interface SurveyOptions {
  /** Where to keep what was learnt; default: the user's cache folder. */
  readonly indexFile?: string;
  /** Threads that decode, once there are files enough to be worth them; 0 = this one. */
  readonly workers?: number;
  /** What pictures that are no bytes are to be shown through. */
  readonly window?: Window | undefined;
  /** What a network was trained with; where no `window` is asked for. */
  readonly trained?: Window | undefined;
  /** What a network's channels were trained with: its windows come before those of dataset.yaml. */
  readonly trainedChannels?: ChannelPlan | undefined;
  /** After every pair; `file` is the image. */
  readonly onProgress?: (done: number, total: number, file: string) => void;
}

/** Files read in this thread before others are started: starting them takes as long as reading about this many. */
const FILES_BEFORE_THREADS = 24;

/** Reads in this thread first, in threads of its own when it goes on. */
class Reader {
  #count = 0;
  #pool: ThreadPool<FactsTask, FactsAnswer> | undefined;
  readonly #workers: number;

  constructor(workers: number) {
    this.#workers = workers;
  }

  readonly read: FactsReader = (task) => {
    if (this.#workers === 0 || this.#count++ < FILES_BEFORE_THREADS) return readFacts(task);
    const entry = threadProgram(import.meta.url, "facts-worker");
    this.#pool ??= new ThreadPool({ here: readFacts, entry, fileOf: ({ file }) => file }, this.#workers);
    return this.#pool.run(task);
  };

  async close(): Promise<void> {
    await this.#pool?.close();
  }
}

async function surveyPair(
  sample: Sample,
  index: FileIndex,
  read: FactsReader,
  problems: Problem[],
): Promise<SurveyedSample | undefined> {
  const { window, further, channels } = sample;
  const [image, mask] = await Promise.allSettled([
    index.facts(sample.image, "image", read, { window, further, channels }),
    index.facts(sample.mask, "mask", read),
  ]);
  if (image.status === "rejected") problems.push(unreadable(sample.image, image.reason));
  if (mask.status === "rejected") problems.push(unreadable(sample.mask, mask.reason));
  if (image.status === "rejected" || mask.status === "rejected") return undefined;
  const { width, height } = image.value;
  if (width !== mask.value.width || height !== mask.value.height) {
    const sizes = `the mask is ${mask.value.width}x${mask.value.height}, its image ${sample.image} is ${width}x${height}`;
    problems.push(
      problem("size-mismatch", sample.mask, sizes, "both need one size, export the mask again at the image's"),
    );
    return undefined;
  }
  return { ...sample, imageFacts: image.value, maskFacts: mask.value };
}

/** What a dataset's pictures that are no bytes are shown through, if all through one window, and why. */
export function pictureWindow({ yaml }: Dataset, { window, trained, trainedChannels }: SurveyOptions) {
  if (window !== undefined) return { window, why: "as asked for" };
  if (trained !== undefined) return { window: trained, why: "as the training data" };
  // Each channel has its own then.
  if (trainedChannels?.windows !== undefined) return { window: undefined, why: "as the training data" };
  return { window: yaml.window, why: "as dataset.yaml says" };
}

/** What the channels are and what each is shown through: without windows of their own where all are seen through one. */
export function planInUse(dataset: Dataset, options: SurveyOptions): ChannelPlan | undefined {
  const { channels } = dataset.yaml;
  if (channels === undefined) return undefined;
  const { windows: own, ...plan } = channels;
  const windows = options.trainedChannels?.windows ?? own;
  return windows === undefined || pictureWindow(dataset, options).window !== undefined ? plan : { ...plan, windows };
}

/**
 * Surveys the given splits (those the dataset has, by default): every file is decoded once, or known from the index.
 * What cannot be used is listed; nothing wrong in a file makes it throw.
 */
export async function surveyDataset(
  dataset: Dataset,
  splits: readonly SplitName[] = SPLIT_NAMES.filter((split) => dataset.splits[split] !== undefined),
  options: SurveyOptions = {},
): Promise<Survey> {
  const indexFile = options.indexFile ?? defaultIndexFile(dataset.folder);
  const index = await FileIndex.open(indexFile, dataset.folder);
  const workers = options.workers ?? defaultWorkers();
  const reader = new Reader(workers);
  const { window } = pictureWindow(dataset, options);
  const plan = planInUse(dataset, options);
  const seen = { ...(window === undefined ? {} : { window }), ...(plan === undefined ? {} : { channels: plan }) };
  const pairs = splits.flatMap((split) =>
    (dataset.splits[split] ?? []).map((sample) => ({
      split,
      sample: { ...sample, ...seen },
      problems: [] as Problem[],
      found: undefined as SurveyedSample | undefined,
    })),
  );
  let next = 0;
  let done = 0;
  const walk = async () => {
    for (let pair = pairs[next++]; pair !== undefined; pair = pairs[next++]) {
      pair.found = await surveyPair(pair.sample, index, reader.read, pair.problems);
      options.onProgress?.(++done, pairs.length, pair.sample.image);
    }
  };
  try {
    await Promise.all(Array.from({ length: 4 + workers }, walk));
  } finally {
    await reader.close();
  }
  return {
    splits: splits.map((split) => {
      const own = pairs.filter((pair) => pair.split === split);
      return {
        split,
        samples: own.flatMap(({ found }) => found ?? []),
        problems: [...(dataset.problems[split] ?? []), ...own.flatMap(({ problems }) => problems)],
      };
    }),
    unsaved: await index.save(),
    decoded: index.decoded,
    hashes: index.hashes,
    indexFile,
  };
}
