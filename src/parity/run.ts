import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FixtureFile } from "./fixture.ts";
import { type Failure, FileReport, type FileResult, formatResults } from "./report.ts";

/** Checks one file, consuming everything in it. May throw: that is a failure of the file. */
export type Checker = (file: FixtureFile, report: FileReport) => Promise<void>;

/** Checkers by what a path says: `ops/<stem>`, `model`, `nets`, `metrics`. */
export type Checkers = Readonly<Record<string, Checker>>;

/** As `Checkers`, for those that are made only when a file needs them. */
export type FindChecker = (name: string) => Promise<Checker | undefined>;

export interface ParityResult {
  readonly files: readonly FileResult[];
  /** Failures of all files and of paths that lead to no file. */
  readonly failures: readonly Failure[];
  /** The printed report. */
  readonly text: string;
  /** 0 when everything passed, otherwise 1. */
  readonly exitCode: number;
}

const EXTENSION = ".safetensors";

/** Every golden file under a path, sorted; the path itself when it is a file. */
async function findFiles(path: string): Promise<string[]> {
  const info = await stat(path);
  if (!info.isDirectory()) return [path];
  const found: string[] = [];
  for (const name of (await readdir(path)).sort()) {
    const child = join(path, name);
    if (name.endsWith(EXTENSION) || (await stat(child)).isDirectory()) found.push(...(await findFiles(child)));
  }
  return found;
}

/** Which check applies: the folder, and in ops/ the file's stem too. */
function checkerName(path: string): string {
  const folder = basename(dirname(resolve(path)));
  return folder === "ops" ? `ops/${basename(path, EXTENSION)}` : folder;
}

/** The checker of that name in a table. */
export const among =
  (checkers: Checkers): FindChecker =>
  async (name) =>
    Object.hasOwn(checkers, name) ? checkers[name] : undefined;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function checkFile(path: string, find: FindChecker): Promise<FileResult> {
  const report = new FileReport(path);
  try {
    const fixture = await FixtureFile.open(path);
    const name = checkerName(path);
    const checker = await find(name);
    if (!checker) {
      report.fail("", "", `no check is known for "${name}"`);
      return report.finish(undefined);
    }
    await checker(fixture, report);
    return report.finish(fixture);
  } catch (error) {
    // The check broke off: what it would still have consumed is no further failure.
    report.fail("", "", messageOf(error));
    return report.finish(undefined);
  }
}

/**
 * Checks every golden file under the given files and folders. A path without files, an unreadable file and a file no
 * checker knows are failures. `onFile` is told about each file as soon as it is done.
 */
export async function runParity(
  paths: readonly string[],
  checkers: Checkers | FindChecker,
  onFile: (result: FileResult) => void = () => undefined,
): Promise<ParityResult> {
  const places: Failure[] = [];
  const find = typeof checkers === "function" ? checkers : among(checkers);
  const lost = (file: string, message: string) => places.push({ file, caseName: "", tensor: "", message });
  const files = new Map<string, string>();
  for (const path of paths) {
    try {
      const found = await findFiles(path);
      if (found.length === 0) lost(path, `no ${EXTENSION} file found`);
      for (const file of found) files.set(resolve(file), file);
    } catch (error) {
      lost(path, messageOf(error));
    }
  }
  if (paths.length === 0) lost("(no path)", "no file or folder was given");
  const results: FileResult[] = [];
  for (const file of files.values()) {
    const result = await checkFile(file, find);
    results.push(result);
    onFile(result);
  }
  const failures = [...places, ...results.flatMap((result) => result.failures)];
  return { files: results, failures, text: formatResults(results, places), exitCode: failures.length === 0 ? 0 : 1 };
}
