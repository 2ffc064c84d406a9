import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { removeTemporaryFiles, writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder, makeInnerFolder } from "../../files/folder.ts";
import { resolveConfig, type TrainConfig, writeConfig } from "../settings/config.ts";
import { readConfigFile } from "../settings/config-file.ts";
import type { Environment } from "./environment.ts";
import { lockRun, type RunLock } from "./run-lock.ts";
import { EventWriter, truncateEvents } from "./tfevents.ts";

/** Where everything of a run lies. */
export function runPaths(folder: string) {
  const checkpoints = join(folder, "checkpoints");
  return {
    folder,
    config: join(folder, "config.yaml"),
    environment: join(folder, "environment.json"),
    metrics: join(folder, "metrics.jsonl"),
    events: join(folder, "events.tfevents"),
    checkpoints,
    last: join(checkpoints, "last.safetensors"),
    best: join(checkpoints, "best.safetensors"),
    eval: join(folder, "eval"),
  } as const;
}

/** The paths of a run, by what they hold. */
type RunPaths = ReturnType<typeof runPaths>;

/** One line of metrics.jsonl: the step it belongs to, what kind of line it is, and numbers by name. */
interface MetricsRow {
  readonly step: number;
  readonly kind: string;
  readonly [name: string]: number | string | boolean | null;
}

/** A run folder held by this process. `close` gives it back; so does the end of the process. */
export class RunFolder {
  readonly paths: RunPaths;
  /** Process id of a dead owner whose lock was taken over, for the caller to mention. */
  readonly tookOverFrom: number | undefined;
  readonly #lock: RunLock;
  readonly #events: EventWriter;

  private constructor(paths: RunPaths, lock: RunLock) {
    this.paths = paths;
    this.#lock = lock;
    this.tookOverFrom = lock.tookOverFrom;
    this.#events = new EventWriter(paths.events);
  }

  /** Starts a run in a folder that does not exist, is empty, or holds a run that never wrote a checkpoint. */
  static create(folder: string, config: TrainConfig): RunFolder {
    const paths = runPaths(folder);
    makeFolder(folder, `--out ${folder}`);
    const lock = lockRun(folder);
    try {
      refuseForeignContent(paths, config.resume === "auto");
      // A run that ended between its first best checkpoint and its first complete one starts again.
      rmSync(paths.best, { force: true });
      makeInnerFolder(paths.checkpoints);
      discardAfter(paths, -1);
      writeConfig(paths.config, config);
      return new RunFolder(paths, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /**
   * Continues a run whose last complete step is `step`: what was recorded after it is dropped, because those steps run
   * again. The configuration stays the stored one unless a changed one is given.
   */
  static resume(folder: string, step: number, config?: TrainConfig): RunFolder {
    const paths = runPaths(folder);
    if (!existsSync(paths.config)) {
      throw new UsageError(`${folder} holds no run (no config.yaml): train without --resume, or give the right --out`);
    }
    const lock = lockRun(folder);
    try {
      makeInnerFolder(paths.checkpoints);
      discardAfter(paths, step);
      if (config !== undefined) writeConfig(paths.config, config);
      return new RunFolder(paths, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Appends a line to metrics.jsonl and its numbers to the TensorBoard file, there named `kind/name`. */
  record(row: MetricsRow): void {
    appendFileSync(this.paths.metrics, `${JSON.stringify(row)}\n`);
    const { step, kind, ...rest } = row;
    const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    if (numbers.length === 0) return;
    this.#events.add(step, Object.fromEntries(numbers.map(([name, value]) => [`${kind}/${name}`, value])));
  }

  /** Adds this process to environment.json: one entry for every process that has worked on the run. */
  addEnvironment(environment: Environment): void {
    const path = this.paths.environment;
    const earlier = existsSync(path)
      ? (JSON.parse(readFileSync(path, "utf8")) as { sessions: Environment[] })
      : undefined;
    const sessions = [...(earlier?.sessions ?? []), environment];
    writeFileAtomic(path, `${JSON.stringify({ sessions }, null, 2)}\n`);
  }

  close(): void {
    this.#lock.release();
  }
}

/** The stored configuration of a run. */
export function readRunConfig(folder: string): TrainConfig {
  const { config } = runPaths(folder);
  if (!existsSync(config)) throw new UsageError(`${folder} holds no run: there is no ${config}`);
  return resolveConfig({}, readConfigFile(config));
}

/** The lines of a run's metrics.jsonl; a last line that was cut off is left out. */
export function readMetrics(folder: string): MetricsRow[] {
  const { metrics } = runPaths(folder);
  return existsSync(metrics) ? parseMetrics(readFileSync(metrics, "utf8")) : [];
}

function parseMetrics(text: string): MetricsRow[] {
  const complete = text.slice(0, text.lastIndexOf("\n") + 1);
  const lines = complete.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as MetricsRow);
}

function discardAfter(paths: RunPaths, step: number): void {
  removeTemporaryFiles(paths.folder);
  removeTemporaryFiles(paths.checkpoints);
  truncateEvents(paths.events, step);
  if (!existsSync(paths.metrics)) return;
  const kept = parseMetrics(readFileSync(paths.metrics, "utf8")).filter((row) => row.step <= step);
  writeFileAtomic(paths.metrics, kept.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

function refuseForeignContent(paths: RunPaths, restart: boolean): void {
  if (existsSync(paths.last) || (existsSync(paths.best) && !restart)) {
    throw new UsageError(`${paths.folder} holds a run already: continue it with --resume, or choose another --out`);
  }
  const isRun = existsSync(paths.config);
  const foreign = readdirSync(paths.folder).filter((name) => name !== "lock" && name !== "checkpoints");
  if (!isRun && foreign.length > 0) {
    throw new UsageError(
      `${paths.folder} is not empty and holds no run (${foreign.slice(0, 3).join(", ")}): choose another --out`,
    );
  }
}
