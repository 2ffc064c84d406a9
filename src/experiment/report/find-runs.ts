import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { runOf } from "../checkpoint/load-run.ts";
import { runPaths } from "../run/run-folder.ts";

/** What some folders hold. */
export interface FoundFolders {
  /** Run folders, each once, in the order they were named; with the evaluation that was named for it, where one was. */
  readonly runs: ReadonlyMap<string, { readonly evaluation?: string }>;
  /** All that may hold tables and pictures: the folders that were named, with the runs of theirs. */
  readonly places: readonly string[];
}

/**
 * The runs in some folders: each is a run, an evaluation (`svanet eval --out`), or holds runs, itself or in `runs/`, as `ablate`,
 * `compare` and `cv` leave them. UsageError for one that is nothing of this.
 */
export function findRuns(folders: readonly string[]): FoundFolders {
  const runs = new Map<string, { readonly evaluation?: string }>();
  for (const folder of folders) {
    for (const [run, found] of runsIn(folder)) if (!runs.has(run) || found.evaluation) runs.set(run, found);
  }
  return { runs, places: [...new Set([...folders.map(normalize), ...runs.keys()])] };
}

function runsIn(folder: string): (readonly [string, { readonly evaluation?: string }])[] {
  if (!existsSync(folder)) throw new UsageError(`${folder} does not exist: name a run folder, or one of a study`);
  if (!statSync(folder).isDirectory()) throw new UsageError(`${folder} is a file: name the folder of the run`);
  if (isRun(folder)) return [[normalize(folder), {}]];
  const evaluated = join(folder, "eval.json");
  if (existsSync(evaluated)) return [[runOfEvaluation(evaluated), { evaluation: folder }]];
  const inner = [join(folder, "runs"), folder].map(runsBelow).find((found) => found.length > 0);
  if (inner !== undefined) return inner.map((run) => [run, {}]);
  throw new UsageError(
    `${folder} holds no run: name a folder with config.yaml, or one that ablate, compare or cv has written`,
  );
}

const isRun = (folder: string): boolean => existsSync(runPaths(folder).config);

/** The run folders right below one, by name; none where there is no such folder. */
function runsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const paths = entries.map(({ name }) => join(folder, name));
  return paths.filter(isRun).sort();
}

const evaluationSource = z.looseObject({ checkpoint: z.string() });

/** The run that an evaluation elsewhere is of. */
function runOfEvaluation(file: string): string {
  const { checkpoint } = evaluationSource.parse(JSON.parse(readFileSync(file, "utf8")));
  const run = runOf(checkpoint);
  if (isRun(run)) return normalize(run);
  throw new UsageError(`${file} is of ${checkpoint}, which lies in no run folder: name that run as well, or instead`);
}
