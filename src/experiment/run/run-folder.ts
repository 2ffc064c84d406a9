import { existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { syncFolder, writeFileAtomic } from "../../files/atomic.ts";
import { writing } from "../../files/failure.ts";
import { makeFolder, makeInnerFolder } from "../../files/folder.ts";
import { removeTemporaryFiles } from "../../files/temporary.ts";
import { BEFORE_THEY_EXISTED, resolveConfig, type TrainConfig, writeConfig } from "../settings/config.ts";
import { readConfigFile } from "../settings/config-file.ts";
import { hyperParameters } from "../settings/hyper-parameters.ts";
import type { Environment } from "./environment.ts";
import type { EventImage } from "./event-messages.ts";
import { MetricsCsv } from "./metrics-csv.ts";
import { appendMetrics, cutMetrics, type MetricsRow, readMetrics } from "./metrics-log.ts";
import { isLockFile, lockRun, type RunLock } from "./run-lock.ts";
import { cutEvents, EventWriter } from "./tfevents.ts";

const JOB_LOG = "job.log";

/** Where everything of a run lies. */
export function runPaths(folder: string) {
  const checkpoints = join(folder, "checkpoints");
  return {
    folder,
    config: join(folder, "config.yaml"),
    /** What `--recipe auto` planned, with reasons. */
    plan: join(folder, "plan.yaml"),
    data: join(folder, "data.json"),
    environment: join(folder, "environment.json"),
    /** What a process printed that a launcher started for the run. */
    jobLog: join(folder, JOB_LOG),
    metrics: join(folder, "metrics.jsonl"),
    /** The rows of `metrics` as a table. */
    metricsCsv: join(folder, "metrics.csv"),
    events: join(folder, "events.tfevents"),
    checkpoints,
    last: join(checkpoints, "last.safetensors"),
    /** The complete state before `last`. */
    previous: join(checkpoints, "previous.safetensors"),
    best: join(checkpoints, "best.safetensors"),
    eval: join(folder, "eval"),
  } as const;
}

/** The paths of a run, by what they hold. */
type RunPaths = ReturnType<typeof runPaths>;

/** Whether a run has a state that it can go on from. */
export function hasState({ last, previous }: RunPaths): boolean {
  return existsSync(last) || existsSync(previous);
}

/** Where a resumed run goes on. */
interface ResumePoint {
  /** The last complete step. */
  readonly step: number;
  /** Whether that is the state of `previous`, because `last` is damaged. */
  readonly fromPrevious?: boolean;
}

/** A run folder held by this process. `close` gives it back; so does the end of the process. */
export class RunFolder {
  readonly paths: RunPaths;
  /** Sentences on what was put right when the folder was opened, for the caller to say. */
  readonly notes: readonly string[];
  readonly #lock: RunLock;
  readonly #events: EventWriter;
  readonly #csv: MetricsCsv;

  private constructor(paths: RunPaths, lock: RunLock, config: TrainConfig, notes: readonly (string | null)[]) {
    this.paths = paths;
    this.#lock = lock;
    this.notes = [lock.note, ...notes].filter((note) => note !== null);
    this.#csv = writing(
      paths.metricsCsv,
      () => new MetricsCsv(paths.metricsCsv, config.classes ?? 0, readMetrics(paths.metrics)),
    );
    this.#events = writing(paths.events, () => new EventWriter(paths.events, hyperParameters(config)));
  }

  /** Starts a run in a folder that does not exist, is empty, or holds a run that never wrote a checkpoint. */
  static create(folder: string, config: TrainConfig): RunFolder {
    const paths = runPaths(folder);
    makeFolder(folder, `--out ${folder}`);
    return locked(paths, config, (lock) => {
      refuseForeignContent(paths, config.resume === "auto");
      tidy(paths);
      // A run that ended between its first best checkpoint and its first complete one starts again.
      rmSync(paths.best, { force: true });
      const notes = cutLogs(paths, 0);
      rmSync(paths.events, { force: true }); // what is left of it are the settings of that run
      writeConfig(paths.config, config);
      return new RunFolder(paths, lock, config, notes);
    });
  }

  /**
   * Continues a run: what was recorded after the step is moved aside, because those steps run again. The configuration
   * stays the stored one unless a changed one is given.
   */
  static resume(folder: string, { step, fromPrevious = false }: ResumePoint, config?: TrainConfig): RunFolder {
    const paths = runPaths(folder);
    if (config === undefined && !existsSync(paths.config)) {
      throw new UsageError(`${folder} holds no run (no config.yaml): train without --resume, or give the right --out`);
    }
    return locked(paths, config, (lock) => {
      tidy(paths);
      const setAside = fromPrevious ? setLastAside(paths) : null;
      const notes = cutLogs(paths, step);
      if (config !== undefined) writeConfig(paths.config, config);
      return new RunFolder(paths, lock, config ?? readRunConfig(folder), [setAside, ...notes]);
    });
  }

  /** Appends a line to metrics.jsonl and to metrics.csv, and its numbers to the TensorBoard file, there named `kind/name`. */
  record(row: MetricsRow): void {
    const { metrics, metricsCsv, events } = this.paths;
    writing(metrics, () => appendMetrics(metrics, row));
    writing(metricsCsv, () => this.#csv.append(row));
    const { step, kind, ...rest } = row;
    const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] === "number");
    if (numbers.length === 0) return;
    const values = Object.fromEntries(numbers.map(([name, value]) => [`${kind}/${name}`, value]));
    writing(events, () => this.#events.add(step, values));
  }

  /** Adds pictures of a step to the TensorBoard file, by tag. */
  recordImages(step: number, images: ReadonlyMap<string, EventImage>): void {
    const { events } = this.paths;
    if (images.size > 0) writing(events, () => this.#events.addImages(step, images));
  }

  /**
   * Puts a complete state, which `write` writes to the path it is given, in the place of the last one, which becomes the
   * one before. At every moment the folder holds a complete state, and after the second always two.
   */
  async replaceLast(write: (path: string) => Promise<void>): Promise<void> {
    this.#lock.requireHeld();
    const { last, previous, checkpoints } = this.paths;
    const next = join(checkpoints, NEXT);
    await write(next);
    writing(last, () => {
      if (existsSync(last)) keepAs(last, previous);
      renameSync(next, last);
      syncFolder(checkpoints);
    });
  }

  /** Adds this process to environment.json: one entry for every process that has worked on the run. */
  addEnvironment(environment: Environment): string | null {
    const path = this.paths.environment;
    return writing(path, () => {
      const { sessions, note } = earlierSessions(path);
      writeFileAtomic(path, `${JSON.stringify({ sessions: [...sessions, environment] }, null, 2)}\n`);
      return note;
    });
  }

  close(): void {
    this.#lock.release();
  }
}

/** Name of a state that is being written. */
const NEXT = "next.safetensors";

/** Opens a folder under its lock, which is given back where that fails. */
function locked(paths: RunPaths, config: TrainConfig | undefined, open: (lock: RunLock) => RunFolder): RunFolder {
  const lock = writing(paths.folder, () => lockRun(paths.folder, { steal: config?.stealLock === true }));
  try {
    return writing(paths.folder, () => open(lock));
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Makes the folder of checkpoints, and removes what processes that died while writing have left. */
function tidy({ folder, checkpoints }: RunPaths): void {
  makeInnerFolder(checkpoints);
  for (const place of [folder, checkpoints]) removeTemporaryFiles(place);
  for (const name of readdirSync(checkpoints)) {
    if (name === NEXT || name.endsWith(".partial")) rmSync(join(checkpoints, name), { force: true });
  }
}

/** The stored configuration of a run. UsageError where there is none, or it is damaged. */
export function readRunConfig(folder: string): TrainConfig {
  const { config } = runPaths(folder);
  if (!existsSync(config)) throw new UsageError(`${folder} holds no run: there is no ${config}`);
  try {
    return resolveConfig({}, readConfigFile(config), BEFORE_THEY_EXISTED);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${config} is damaged (${error.message.split("\n")[0]}): move it away and give the run's settings again with ` +
        "--resume, which compares them with the checkpoint",
      { cause: error },
    );
  }
}

/** Moves what was recorded after `step` aside; returns what is to be said of it. */
function cutLogs({ folder, metrics, events }: RunPaths, step: number): (string | null)[] {
  return [
    writing(metrics, () => cutMetrics(metrics, step, join(folder, `metrics.cut-${step}.jsonl`))),
    // A name with "tfevents" would be drawn by TensorBoard.
    writing(events, () => cutEvents(events, step, join(folder, `events.cut-${step}`))),
  ];
}

/** Moves a damaged last state away and puts the one before in its place. Returns what is to be said of it. */
function setLastAside({ last, previous, checkpoints }: RunPaths): string | null {
  const aside = join(checkpoints, "last.damaged.safetensors");
  const isThere = existsSync(last);
  if (isThere) renameSync(last, aside);
  keepAs(previous, last);
  return isThere ? `the damaged ${last} is kept as ${aside}` : null;
}

/** Gives a file a second name, in place of what had it; where a file system has no links, it moves there. */
function keepAs(path: string, name: string): void {
  const draft = `${name}.partial`;
  rmSync(draft, { force: true });
  try {
    linkSync(path, draft);
  } catch {
    renameSync(path, name);
    return;
  }
  renameSync(draft, name);
  rmSync(draft, { force: true }); // a rename between two names of one file leaves both
}

const sessionsSchema = z.object({ sessions: z.array(z.looseObject({})) });

/** The entries of environment.json; a damaged one is moved aside, and the sentence says so. */
function earlierSessions(path: string): { readonly sessions: readonly object[]; readonly note: string | null } {
  if (!existsSync(path)) return { sessions: [], note: null };
  try {
    return { ...sessionsSchema.parse(JSON.parse(readFileSync(path, "utf8"))), note: null };
  } catch {
    const aside = path.replace(/\.json$/, ".damaged.json");
    renameSync(path, aside);
    return { sessions: [], note: `${path} is damaged: kept as ${aside}, and begun anew` };
  }
}

function refuseForeignContent(paths: RunPaths, restart: boolean): void {
  if (hasState(paths) || (existsSync(paths.best) && !restart)) {
    throw new UsageError(`${paths.folder} holds a run already: continue it with --resume, or choose another --out`);
  }
  const isRun = existsSync(paths.config);
  const foreign = readdirSync(paths.folder).filter(
    (name) => !isLockFile(name) && name !== "checkpoints" && name !== JOB_LOG,
  );
  if (!isRun && foreign.length > 0) {
    throw new UsageError(
      `${paths.folder} is not empty and holds no run (${foreign.slice(0, 3).join(", ")}): choose another --out`,
    );
  }
}
