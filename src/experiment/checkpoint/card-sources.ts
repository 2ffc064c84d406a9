import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { readDataRecord } from "../run/data-index.ts";
import { readRunConfig, runPaths } from "../run/run-folder.ts";
import { runOf } from "./load-run.ts";

const figure = z.number().nullable();

const stratum = z.object({
  images: z.int(),
  emptyImages: z.int(),
  foregroundDice: figure,
  mDice: figure,
  mIoU: figure,
  sensitivity: figure,
});

const bin = z.object({ from: z.number(), to: z.number(), truth: z.int(), found: z.int() });

/** What a card takes of an eval.json. */
const scoresSchema = z.object({
  checkpoint: z.string(),
  split: z.string(),
  scoredAt: z.string(),
  strata: z.record(z.string(), stratum),
  lesions: z.array(z.object({ overlap: z.number(), bins: z.array(bin) })).optional(),
});

/** The scores of an evaluation, by size of the largest object. */
export type CardScores = z.output<typeof scoresSchema>;

/** One process that worked on a run. */
const session = z.object({
  svanet: z.string(),
  commit: z.string().nullable(),
  adapter: z.looseObject({ name: z.string() }).nullable(),
});

const environmentSchema = z.object({ sessions: z.array(session) });

/** What the run around a checkpoint knows of it; everything is left out that the run does not say. */
export interface CardRun {
  /** Name of the data set's folder, without the path that leads there. */
  readonly data?: string;
  /** Images by split, and one SHA-256 over the names and contents of images and masks. */
  readonly files?: { readonly counts: Readonly<Record<string, number>>; readonly digest: string };
  /** Version and commit that trained it, and the GPU. */
  readonly software?: { readonly version: string; readonly commit: string | null; readonly adapter: string | null };
  readonly scores?: CardScores;
  /** Why no scores are shown although there is an evaluation. */
  readonly unscored?: string;
}

/**
 * Reads what the run of a checkpoint says of data, software and scores. Scores count only where they are of this very file
 * and were made after it was written. A damaged or missing part is left out: a card claims what it knows.
 */
export function readCardRun(checkpoint: string): CardRun {
  const run = runOf(checkpoint);
  const paths = runPaths(run);
  return {
    ...(existsSync(paths.config) ? { data: basename(readRunConfig(run).data) } : {}),
    ...filesOf(paths.data),
    ...softwareOf(paths.environment),
    ...scoresOf(checkpoint, join(paths.eval, "eval.json")),
  };
}

function filesOf(path: string): Pick<CardRun, "files"> {
  const record = readDataRecord(path);
  if (record === undefined || record === "damaged") return {};
  const names = [...record.files.keys()].sort();
  const counts: Record<string, number> = {};
  for (const name of names) {
    const [split = ""] = name.split("/");
    if (split === "train" || split === "val" || split === "test") counts[split] = (counts[split] ?? 0) + 1;
  }
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name} ${record.files.get(name)}\n`);
  return { files: { counts, digest: hash.digest("hex") } };
}

/** Of a run that several processes worked on, what the last one was. */
function softwareOf(path: string): Pick<CardRun, "software"> {
  const last = parsed(path, environmentSchema)?.sessions.at(-1);
  if (last === undefined) return {};
  return { software: { version: last.svanet, commit: last.commit, adapter: last.adapter?.name ?? null } };
}

function scoresOf(checkpoint: string, path: string): Pick<CardRun, "scores" | "unscored"> {
  const scores = parsed(path, scoresSchema);
  if (scores === undefined) return {};
  if (basename(scores.checkpoint) !== basename(checkpoint)) {
    return { unscored: `the evaluation beside it is of ${basename(scores.checkpoint)}` };
  }
  if (statSync(path).mtimeMs < statSync(checkpoint).mtimeMs) {
    return { unscored: "the evaluation beside it is older than the file" };
  }
  return { scores };
}

/** The JSON file's value where it is there and fits. */
function parsed<T>(path: string, schema: z.ZodType<T>): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const result = schema.safeParse(JSON.parse(readFileSync(path, "utf8")));
    return result.success ? result.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
