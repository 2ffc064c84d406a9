import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file so that a reader, or the machine after a power cut, finds either the old content or the new one, never
 * a part: a temporary file in the same folder, flushed, renamed over the target, the folder flushed too.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  writeFileChunks(path, [typeof content === "string" ? new TextEncoder().encode(content) : content]);
}

/** As {@link writeFileAtomic}, for content in pieces that need not lie in memory twice. */
export function writeFileChunks(path: string, chunks: readonly Uint8Array[]): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const file = openSync(temporary, "w");
  try {
    for (const chunk of chunks) writeAll(file, chunk);
    fsyncSync(file);
  } catch (error) {
    closeSync(file);
    rmSync(temporary, { force: true });
    throw error;
  }
  closeSync(file);
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Writes every byte; one `writeSync` may write fewer (it stops at 2 GiB). */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Removes temporary files that processes which died while writing have left in `folder`. */
export function removeTemporaryFiles(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (/^\..*\.\d+\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
  }
}

function syncFolder(folder: string): void {
  if (process.platform === "win32") return; // a folder cannot be opened there; NTFS journals the rename itself
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
