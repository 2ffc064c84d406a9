import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { readSafetensors } from "../weights/safetensors-file.ts";
import {
  among,
  type Checkers,
  checkFile,
  type FindChecker,
  type FixtureSource,
  messageOf,
  type ParityResult,
  parityResult,
} from "./check-files.ts";
import { FixtureFile } from "./fixture.ts";
import type { Failure, FileResult } from "./report.ts";

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

function sourceOf(path: string): FixtureSource {
  const folder = basename(dirname(resolve(path)));
  return { path, folder, stem: basename(path, EXTENSION), read: () => readSafetensors(path) };
}

/** Opens and fully reads a file; CheckpointError when it is missing, truncated or no safetensors file. */
export async function openFixture(path: string): Promise<FixtureFile> {
  const source = sourceOf(path);
  return new FixtureFile(source, await source.read());
}

/** The golden files under files and folders, each once, and what is wrong with paths that lead to none. */
export async function findFixtures(
  paths: readonly string[],
): Promise<{ readonly sources: readonly FixtureSource[]; readonly places: readonly Failure[] }> {
  const places: Failure[] = [];
  const lost = (file: string, message: string) => places.push({ file, caseName: "", tensor: "", message });
  const files = new Map<string, FixtureSource>();
  for (const path of paths) {
    try {
      const found = await findFiles(path);
      if (found.length === 0) lost(path, `no ${EXTENSION} file found`);
      for (const file of found) files.set(resolve(file), sourceOf(file));
    } catch (error) {
      lost(path, messageOf(error));
    }
  }
  if (paths.length === 0) lost("(no path)", "no file or folder was given");
  return { sources: [...files.values()], places };
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
  const find = typeof checkers === "function" ? checkers : among(checkers);
  const { sources, places } = await findFixtures(paths);
  const results: FileResult[] = [];
  for (const source of sources) {
    const result = await checkFile(source, find);
    results.push(result);
    onFile(result);
  }
  return parityResult(results, places);
}
