import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname, sep } from "node:path";
import { DataError } from "../errors.ts";

/** What a path is that is no regular file; null for a regular file. */
function oddKind(stats: Stats): string | null {
  if (stats.isFile()) return null;
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe (FIFO)";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

/**
 * Throws DataError where `file` is a pipe, socket, device or folder: opening the first would wait for ever for somebody who
 * writes into it. What does not exist is left to whoever opens it. `refuse` makes another error of the sentence.
 */
export function requireRegularFile(
  file: string,
  refuse: (sentence: string) => Error = (sentence) => new DataError(sentence),
): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  const kind = stats ? oddKind(stats) : null;
  if (kind !== null) throw refuse(`${file}: is ${kind}, not a file with data; remove it or name a file`);
}

/**
 * Throws DataError where `file`, by itself or by a folder above it, is a symbolic link that leads out of `folder`: a data set
 * from elsewhere must not name other files of this machine. Links within the data set are followed.
 */
export function requireInside(file: string, folder: string): void {
  const real = realPath(file);
  if (real === undefined || `${dirname(real)}${sep}`.startsWith(`${realpathSync(folder)}${sep}`)) return;
  throw new DataError(
    `${file}: is a symbolic link that leads out of the data set, to ${real}; put the file itself there, or a hard link`,
  );
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined; // whoever opens it says what is wrong
  }
}
