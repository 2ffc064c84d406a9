import { readdir, rename, rm, rmdir } from "node:fs/promises";
import { resolve } from "node:path";
import { DataError } from "../errors.ts";
import { codeOf, writingSlowly } from "./failure.ts";
import { makeFolder, requireWritableFolder } from "./folder.ts";

/**
 * Throws DataError unless `out` is free to be written: it does not exist, or is an empty folder; and what
 * {@link requireWritableFolder} throws.
 */
export async function requireFree(out: string): Promise<void> {
  requireWritableFolder(out);
  const present = await readdir(out).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  if (present.length > 0) {
    throw new DataError(`${out}: already holds ${present.length} entries (${present[0]}, ...); name a new folder`);
  }
}

/**
 * A folder that appears whole or not at all: lets `write` fill one beside `out`, which then takes its place. An
 * interrupted run leaves no half a dataset under the name asked for. Throws DataError where `out` is a folder with
 * content, OutputError where the operating system refuses to write.
 */
export async function writeFolder<R>(out: string, write: (partial: string) => Promise<R>): Promise<R> {
  await requireFree(out);
  const partial = `${resolve(out)}.partial`;
  const remove = () => rm(partial, { recursive: true, force: true });
  try {
    return await writingSlowly(out, async () => {
      await remove();
      makeFolder(partial);
      const result = await write(partial);
      await rmdir(out).catch((error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
      });
      await rename(partial, out);
      return result;
    });
  } catch (error) {
    await remove(); // nobody goes on with it, and on a full disk it takes the last space
    throw error;
  }
}
