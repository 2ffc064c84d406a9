import type { SafetensorsContents } from "../weights/safetensors.ts";
import { FixtureFile, type FixtureName } from "./fixture.ts";
import { type Failure, FileReport, type FileResult, formatResults } from "./report.ts";

/** Checks one file, consuming everything in it. May throw: that is a failure of the file. */
export type Checker = (file: FixtureFile, report: FileReport) => Promise<void>;

/** Checkers by what a path says: `ops/<stem>`, `model`, `nets`, `metrics`. */
export type Checkers = Readonly<Record<string, Checker>>;

/** As `Checkers`, for those that are made only when a file needs them. */
export type FindChecker = (name: string) => Promise<Checker | undefined>;

/** A golden file that is read when its turn comes. */
export interface FixtureSource extends FixtureName {
  /** Throws CheckpointError where it is missing, truncated or no safetensors file. */
  read(): Promise<SafetensorsContents>;
}

export interface ParityResult {
  readonly files: readonly FileResult[];
  /** Failures of all files and of paths that lead to no file. */
  readonly failures: readonly Failure[];
  /** The printed report. */
  readonly text: string;
  /** 0 when everything passed, otherwise 1. */
  readonly exitCode: number;
}

/** The checker of that name in a table. */
export const among =
  (checkers: Checkers): FindChecker =>
  async (name) =>
    Object.hasOwn(checkers, name) ? checkers[name] : undefined;

/** What went wrong, in words. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Checks one file; whatever goes wrong is a failure in its result. */
export async function checkFile(source: FixtureSource, find: FindChecker): Promise<FileResult> {
  const report = new FileReport(source.path);
  try {
    const fixture = new FixtureFile(source, await source.read());
    const name = source.folder === "ops" ? `ops/${source.stem}` : source.folder;
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

/** The outcome of all files; `places` are failures of paths that lead to none. */
export function parityResult(files: readonly FileResult[], places: readonly Failure[]): ParityResult {
  const failures = [...places, ...files.flatMap((result) => result.failures)];
  return { files, failures, text: formatResults(files, places), exitCode: failures.length === 0 ? 0 : 1 };
}
