import { closeSync, existsSync, lstatSync, mkdirSync, openSync, rmdirSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { OutputError, UsageError } from "../errors.ts";
import { codeOf, reasonOf, writing } from "./failure.ts";
import { temporaryFor } from "./temporary.ts";

/**
 * Makes a folder with those above it, where they are missing; returns the ones made, outermost first. `what` names it
 * in messages, such as `--out masks`. Throws UsageError where a part of the path is a file, OutputError where the
 * operating system makes none there. (Node's own recursive mkdir never returns where mkdir answers ENOENT, as below
 * /proc.)
 */
export function makeFolder(path: string, what = path): string[] {
  const missing: string[] = [];
  let above = resolve(path);
  while (!isFolder(above, what)) {
    missing.unshift(above);
    above = dirname(above);
  }
  for (const folder of missing) makeOne(folder, what);
  return missing;
}

/** Whether there is a folder; false where nothing is. */
function isFolder(path: string, what: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" && !isDeadLink(path)) return false;
    if (code === "ENOTDIR") return false; // said of the part that is a file
    throw notMade(what, error);
  }
  throw new UsageError(`${what}: ${path} is a file; name a folder`);
}

/** A symbolic link to nowhere exists, but leads to no folder, and none can be made in its place. */
function isDeadLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function makeOne(folder: string, what: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (codeOf(error) === "EEXIST" && existsSync(folder)) return; // made by another process meanwhile
    throw notMade(what, error);
  }
}

function notMade(what: string, error: unknown): unknown {
  const reason = reasonOf(error);
  return reason === undefined
    ? error
    : new OutputError(`${what}: the folder cannot be made: ${reason}`, { cause: error });
}

/** As {@link makeFolder} for a folder of ours within one that was asked for: a symbolic link in its place is refused. */
export function makeInnerFolder(path: string): void {
  if (isDeadLink(path)) {
    throw new OutputError(`${path}: is a symbolic link, and results are not written through one; remove it`);
  }
  makeFolder(path);
}

/** What is written to try a folder: a disk that has less left is full for every purpose. */
const PROBE = new Uint8Array(4096);

/**
 * Throws, before any work is done, where results could not be written to the folder `path`: as {@link makeFolder}, and
 * where no file can be made in it. Leaves nothing behind.
 */
export function requireWritableFolder(path: string, what = path): void {
  const made = makeFolder(path, what);
  const probe = temporaryFor(join(path, "probe"));
  try {
    writing(what, () => {
      const file = openSync(probe, "wx");
      try {
        writeSync(file, PROBE);
      } finally {
        closeSync(file);
      }
    });
  } finally {
    rmSync(probe, { force: true });
    removeEmpty(made.reverse());
  }
}

/** Removes folders, innermost first, up to one that another process uses by now. */
function removeEmpty(folders: readonly string[]): void {
  try {
    for (const folder of folders) rmdirSync(folder);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** As {@link requireWritableFolder} for a file in a folder that exists. `what` is such as `--out net.onnx`. */
export function requireWritableFile(path: string, what = path): void {
  const folder = dirname(resolve(path));
  requireFolder(folder, what);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) throw new UsageError(`${what}: is a folder; name a file`);
  if (found && !found.isFile()) throw new UsageError(`${what}: is no regular file; name another`);
  requireWritableFolder(folder, what);
}

function requireFolder(folder: string, what: string): void {
  for (let above = folder; ; above = dirname(above)) {
    if (!isFolder(above, what)) continue;
    if (above === folder) return;
    throw new UsageError(`${what}: there is no folder ${folder}; name a file in a folder that exists`);
  }
}
