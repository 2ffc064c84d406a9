import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { resolve } from "node:path";
import { DataError } from "../errors.ts";

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

/** Throws DataError unless `out` is free to be written: it does not exist, or is an empty folder. */
export async function requireFree(out: string): Promise<void> {
  const present = await readdir(out).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw new DataError(`${out}: cannot be used as a folder (${String(error)}); name a new one`);
  });
  if (present.length > 0) {
    throw new DataError(`${out}: already holds ${present.length} entries (${present[0]}, ...); name a new folder`);
  }
}

/**
 * A folder that appears whole or not at all: lets `write` fill one beside `out`, which then takes its place. An
 * interrupted run leaves no half a dataset under the name asked for. Throws DataError where `out` is a folder with
 * content.
 */
export async function writeFolder<R>(out: string, write: (partial: string) => Promise<R>): Promise<R> {
  await requireFree(out);
  const partial = `${resolve(out)}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const result = await write(partial);
  await rmdir(out).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
  await rename(partial, out);
  return result;
}
