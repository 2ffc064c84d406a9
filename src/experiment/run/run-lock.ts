import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../errors.ts";

const ownerSchema = z.object({
  pid: z.int().min(1),
  host: z.string().max(255),
  /** Start of the process in the system's own unit: tells a reused process id from the owner. Empty where unknown. */
  started: z.string().max(64),
});
type Owner = z.infer<typeof ownerSchema>;

/** A held lock. */
export interface RunLock {
  /** What is to be said about how it was taken: over from a dead process, or by force. Null where nothing is. */
  readonly note: string | null;
  /** Throws a `UsageError` when another process has taken the lock by force: two must not write one run. */
  requireHeld(): void;
  release(): void;
}

/** A lock of ours has about a hundred bytes. */
const MOST_LOCK_BYTES = 1 << 16;

/** Names that taking a lock leaves behind where its process dies over it. */
const DRAFT = /^lock(\.stale)?\.\d+$/;

/** Whether a file of a run folder belongs to its lock. */
export const isLockFile = (name: string): boolean => name === "lock" || DRAFT.test(name);

/**
 * Takes the lock of `folder`, so that one process writes a run, or throws a `UsageError` that names its owner. The
 * lock is a file with the owner's process id, host and start time; it is put in place complete (a hard link to a
 * finished file), so nobody reads half of one. A lock whose process is gone is taken over; `steal` takes any.
 */
export function lockRun(folder: string, { steal = false }: { readonly steal?: boolean } = {}): RunLock {
  const path = join(folder, "lock");
  const own = JSON.stringify({ pid: process.pid, host: hostname(), started: startOf(process.pid) } satisfies Owner);
  const note = place(path, own) ? null : takeOver(folder, path, own, steal);
  const release = () => {
    process.removeListener("exit", release);
    if (read(path) === own) rmSync(path, { force: true });
  };
  process.once("exit", release);
  removeDrafts(folder);
  const requireHeld = () => {
    if (read(path) === own) return;
    throw new UsageError(
      `${folder}: another process has taken the lock of this run (--steal-lock): this one stops, nothing more is written`,
    );
  };
  return { note, requireHeld, release };
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

/** Returns the sentence for {@link RunLock.note}. */
function takeOver(folder: string, path: string, own: string, steal: boolean): string {
  const found = read(path);
  const owner = parse(found);
  if (!steal && (owner === undefined || isAlive(owner))) throw refusal(folder, path, owner);
  // Whoever renames the stale lock owns the take-over. Should it be a fresh one by now, it goes back.
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    throw refusal(folder, path, parse(read(path)));
  }
  const moved = read(aside);
  if (moved !== found) place(path, moved ?? "");
  rmSync(aside, { force: true, recursive: true });
  if (moved !== found || !place(path, own)) throw refusal(folder, path, parse(read(path)));
  if (owner !== undefined && !isAlive(owner)) return `took over the run from process ${owner.pid}, which is gone`;
  return `took the run's lock by force (--steal-lock): it was ${described(owner)}`;
}

function described(owner: Owner | undefined): string {
  return owner === undefined ? "no lock that svanet wrote" : `held by process ${owner.pid} on ${owner.host}`;
}

function refusal(folder: string, path: string, owner: Owner | undefined): UsageError {
  const state =
    owner === undefined
      ? `${folder} is locked, and ${path} does not say by whom`
      : `${folder} is in use by process ${owner.pid} on ${owner.host}`;
  return new UsageError(
    `${state}: wait for it, or choose another --out; where no process works on the run any more (another machine ` +
      "cannot be asked), --steal-lock takes the lock",
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
    const stat = statSync(path);
    return stat.isFile() && stat.size <= MOST_LOCK_BYTES ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined; // not there (any more), or no file
  }
}

function parse(text: string | undefined): Owner | undefined {
  try {
    return text === undefined ? undefined : ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // damaged: treated as somebody's
  }
}

/** Whoever holds the lock may remove them: a process that is about to link its draft finds the lock taken all the same. */
function removeDrafts(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => DRAFT.test(one))) {
    rmSync(join(folder, name), { force: true, recursive: true });
  }
}
