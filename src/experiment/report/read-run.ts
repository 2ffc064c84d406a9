import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { type MetricsRow, readMetrics } from "../run/metrics-log.ts";
import { readRunConfig, runPaths } from "../run/run-folder.ts";
import type { TrainConfig } from "../settings/config.ts";
import { curvesOf } from "./curves.ts";
import type { ReportRun, RunEnvironment } from "./data.ts";

/** What a run's own files tell of it. */
export interface StoredRun extends Pick<ReportRun, "step" | "steps" | "environment" | "curves"> {
  readonly config: TrainConfig;
}

/** Reads a run that may still be training; `points` is how long its curves may become. Throws as {@link readRunConfig}. */
export function readRun(folder: string, points: number): StoredRun {
  const config = readRunConfig(folder);
  const rows = [...readMetrics(runPaths(folder).metrics)];
  const train = rows.filter(({ kind }) => kind === "train");
  return {
    config,
    step: train.at(-1)?.step ?? 0,
    steps: config.steps ?? stepsOf(config, train),
    environment: readEnvironment(folder),
    curves: curvesOf(rows, points),
  };
}

/** The updates of all epochs, from those of the first; null before that has ended. */
function stepsOf({ epochs }: TrainConfig, train: readonly MetricsRow[]): number | null {
  const first = train.findIndex(({ epoch }) => Number(epoch ?? 0) > 0);
  return first <= 0 ? null : first * epochs;
}

const session = z.looseObject({
  command: z.array(z.string()),
  started: z.string(),
  svanet: z.string(),
  commit: z.string().nullable(),
  node: z.string(),
  system: z.string(),
  cpu: z.string(),
  adapter: z.looseObject({ name: z.string().optional() }).nullable(),
});
const environmentFile = z.object({ sessions: z.array(session).min(1) });

/** What environment.json says of the last process; null where it is missing or damaged. */
function readEnvironment(folder: string): RunEnvironment | null {
  const { environment } = runPaths(folder);
  if (!existsSync(environment)) return null;
  const found = environmentFile.safeParse(jsonOf(readFileSync(environment, "utf8")));
  const last = found.data?.sessions.at(-1);
  if (found.data === undefined || last === undefined) return null;
  const { command, adapter, started, svanet, commit, node, system, cpu } = last;
  const sessions = found.data.sessions.length;
  return {
    command: shellLine(command),
    adapter: adapter?.name ?? null,
    sessions,
    started,
    svanet,
    commit,
    node,
    system,
    cpu,
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // half of a file that is being written
  }
}

/** A command as a POSIX shell takes it. */
export const shellLine = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
