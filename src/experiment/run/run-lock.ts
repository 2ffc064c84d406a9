import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Start of the process in the system's own unit: tells a reused process id from the owner. Empty where unknown. */
  readonly started: string;
}

/** A held lock. */
export interface RunLock {
  /** The process id whose stale lock was taken over, or undefined. The caller says so. */
  readonly tookOverFrom: number | undefined;
  release(): void;
}

/**
 * Takes the lock of `folder`, so that one process writes a run, or throws a `UsageError` that names its owner. The
 * lock is a file with the owner's process id, host and start time; it is put in place complete (a hard link to a
 * finished file), so nobody reads half of one. A lock whose process is gone is taken over.
 */
export function lockRun(folder: string): RunLock {
  const path = join(folder, "lock");
  const own = JSON.stringify({ pid: process.pid, host: hostname(), started: startOf(process.pid) } satisfies Owner);
  const present = place(path, own) ? undefined : takeOver(folder, path, own);
  const release = () => {
    process.removeListener("exit", release);
    if (read(path) === own) rmSync(path, { force: true });
  };
  process.once("exit", release);
  return { tookOverFrom: present, release };
}

/** Creates the lock with its content in one step; false when there is one already. */
function place(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    return placeWithoutLinks(path, content);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** For file systems without hard links (exFAT, some network mounts). */
function placeWithoutLinks(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function takeOver(folder: string, path: string, own: string): number {
  const found = read(path);
  const owner = parse(found);
  if (owner === undefined || isAlive(owner)) throw refusal(folder, path, owner);
  // Whoever renames the stale lock owns the take-over. Should it be a fresh one by now, it goes back.
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    throw refusal(folder, path, parse(read(path)));
  }
  const moved = read(aside);
  if (moved !== found) place(path, moved ?? "");
  rmSync(aside, { force: true });
  if (moved !== found || !place(path, own)) throw refusal(folder, path, parse(read(path)));
  return owner.pid;
}

function refusal(folder: string, path: string, owner: Owner | undefined): UsageError {
  const who = owner === undefined ? "another process" : `process ${owner.pid} on ${owner.host}`;
  return new UsageError(
    `${folder} is in use by ${who}: wait for it, or choose another --out. ` +
      `If that process no longer exists (another machine cannot be asked), delete ${path}.`,
  );
}

function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true; // cannot be known from here
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const started = startOf(owner.pid);
  return started === "" || owner.started === "" || started === owner.started;
}

/** Clock ticks from boot to the start of a process, from /proc; empty where there is no /proc. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces; the start is the 20th field after it.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not there (any more)
  }
}

function parse(text: string | undefined): Owner | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Owner);
  } catch {
    return undefined; // damaged: treated as somebody's
  }
}
