import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SamplePool } from "../../data/feed/sample-pool.ts";
import { UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeInnerFolder } from "../../files/folder.ts";
import { Predictor } from "../../inference/predictor.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { ImageResult, StratumResult } from "../../metrics/evaluation.ts";
import type { ImageShares } from "../../metrics/strata.ts";
import { packageInfo } from "../../package-info.ts";
import { readFacts } from "../checkpoint/checkpoint.ts";
import { loadNetwork } from "../checkpoint/load-run.ts";
import { evaluateSplit } from "../evaluate/evaluate.ts";
import { evaluateNative } from "../evaluate/native.ts";
import { scoredAtName } from "../evaluate/scores.ts";
import { runPaths } from "../run/run-folder.ts";
import { nameInSet, type StudyData, type StudyRun } from "./plan.ts";

/** The sizes at which a study may be scored: the trained one, as the paper's tables, or each image's own. */
export const SCORED_AT = ["trained", "native"] as const;

/** At which of them. */
export type ScoredSize = (typeof SCORED_AT)[number];

/** A run's scores: percentages, as `svanet eval` gives them. */
export interface RunScores {
  readonly run: string;
  readonly seed: number;
  /** The scored checkpoint's file. */
  readonly checkpoint: string;
  /** Updates it had seen. */
  readonly step: number;
  /** `native`, or the size all images were stretched to, such as `128x128`. */
  readonly scoredAt: string;
  readonly strata: Readonly<Record<string, StratumResult>>;
  readonly images: readonly ImageResult[];
}

/** The checkpoint that the data's choice names. UsageError where the run was never judged, so that it has no best. */
export function selectedCheckpoint({ name, config, data: { select } }: StudyRun): string {
  const { best, last } = runPaths(config.out);
  if (select === "last") return last;
  if (existsSync(best)) return best;
  throw new UsageError(`--select ${select}: ${name} has no best checkpoint; use --select last`);
}

/** Scores finished runs, each once: what was found is kept in the run's folder. */
export class Scorer {
  readonly #device: Device;
  readonly #at: ScoredSize;
  readonly #pool: SamplePool;
  readonly #shares = new Map<string, ImageShares>();

  constructor(device: Device, at: ScoredSize, workers?: number) {
    this.#device = device;
    this.#at = at;
    this.#pool = new SamplePool(workers);
  }

  /** The scores of a run on its data's images. */
  async score(run: StudyRun): Promise<RunScores> {
    const place = await placeOf(run, this.#at);
    const known = readScores(place);
    const found = known ?? (await this.#evaluate(run, place.checkpoint));
    if (known === undefined) {
      makeInnerFolder(dirname(place.file));
      writeFileAtomic(place.file, writtenScores(place.key, found));
    }
    return scoresOf(run, place, found);
  }

  async #evaluate(run: StudyRun, path: string): Promise<Scored> {
    const { samples } = run.data.scored;
    const { network, checkpoint } = await loadNetwork(this.#device, path);
    const { classes } = network.config;
    try {
      if (this.#at === "native") {
        const predictor = new Predictor(network, checkpoint);
        const result = await evaluateNative({ samples, classes, predictor });
        predictor.destroy();
        return { scoredAt: scoredAtName(result.scoredAt), strata: result.strata, images: result.images };
      }
      const inference = await network.inference({ batch: Math.min(run.config.batchSize, samples.length) });
      const { mean, std } = checkpoint.facts;
      const options = { samples, classes, statistics: { mean, std }, inference };
      try {
        const result = await evaluateSplit(network, { ...options, pool: this.#pool, shares: this.#shares });
        return { scoredAt: scoredAtName(result.scoredAt), strata: result.strata, images: result.images };
      } finally {
        inference.program.destroy();
      }
    } finally {
      network.destroy();
    }
  }

  /** Ends the threads. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** The scores of a finished run that are kept in its folder; undefined where there are none of its selected checkpoint. */
export async function keptScores(run: StudyRun, at: ScoredSize): Promise<RunScores | undefined> {
  const place = await placeOf(run, at);
  const found = readScores(place);
  return found === undefined ? undefined : scoresOf(run, place, found);
}

/** Of what a run's scores are, and where they are kept. */
interface ScorePlace {
  readonly checkpoint: string;
  readonly step: number;
  readonly file: string;
  readonly key: string;
}

async function placeOf(run: StudyRun, at: ScoredSize): Promise<ScorePlace> {
  const { scored, select } = run.data;
  const checkpoint = selectedCheckpoint(run);
  const { step } = (await readFacts(checkpoint)).progress;
  const file = join(run.config.out, "scores", `${scored.split}-${select}-${at}.json`);
  return { checkpoint, step, file, key: scoreKey(run.data, step) };
}

const scoresOf = ({ name, config }: StudyRun, { checkpoint, step }: ScorePlace, found: Scored): RunScores => ({
  run: name,
  seed: config.seed,
  checkpoint,
  step,
  ...found,
});

/** What is kept of a run's scores. */
type Scored = Pick<RunScores, "scoredAt" | "strata" | "images">;

/** What kept scores must agree with: program, updates, and the content of every scored image and mask. */
function scoreKey({ dataset, scored }: StudyData, step: number): string {
  const { version } = packageInfo();
  const hash = createHash("sha256");
  for (const { image, mask } of scored.samples) {
    for (const path of [image, mask]) {
      const name = nameInSet(dataset, path);
      hash.update(`${name} ${dataset.hashes.get(name) ?? ""}\n`);
    }
  }
  return `svanet ${version}, step ${step}, ${hash.digest("hex")}`;
}

/** JSON has no NaN: it is written as a word, which no field but a name holds otherwise. */
const writtenScores = (key: string, scores: Scored): string =>
  `${JSON.stringify({ key, ...scores }, (_, value) => (Number.isNaN(value) ? "NaN" : value))}\n`;

/** The scores in the text of a file of `scores/`, with the key they were kept under. SyntaxError where it is damaged. */
export function parseScores(text: string): Scored & { readonly key: string } {
  return JSON.parse(text, (field, value) => (value === "NaN" && field !== "name" ? Number.NaN : value));
}

/** Scores as they were kept under `key`; undefined where there are none, others, or damaged ones, which are made again. */
function readScores({ file, key }: Pick<ScorePlace, "file" | "key">): Scored | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { key: own, ...scores } = parseScores(readFileSync(file, "utf8"));
    return own === key ? scores : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
