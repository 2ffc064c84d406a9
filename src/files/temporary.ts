import { createHash, randomBytes } from "node:crypto";
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { codeOf } from "./failure.ts";

/** `.NAME.MACHINE-PROCESS-RANDOM.svanet.tmp`: of nobody else, and it says whether its writer still lives. */
const TEMPORARY = /^\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.svanet\.tmp$/;

/** This machine among those that share a disk. */
const MACHINE = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/** Milliseconds after which no writer, of whatever machine, is still at it. */
const FOREVER = 24 * 3600 * 1000;

/** Folders in which this process has looked for what others left. */
const swept = new Set<string>();

/**
 * A path beside `path` for its content until it is whole; nobody can foresee it, so that no link is planted there. Removes
 * first, once for each folder, the temporary files of processes that died while writing.
 */
export function temporaryFor(path: string): string {
  const folder = dirname(resolve(path));
  if (!swept.has(folder)) {
    swept.add(folder);
    removeTemporaryFiles(folder);
  }
  const random = randomBytes(4).toString("hex");
  return join(dirname(path), `.${basename(path)}.${MACHINE}-${process.pid}-${random}.svanet.tmp`);
}

/** Removes the temporary files that dead processes have left in `folder`; one that cannot be removed stays. */
export function removeTemporaryFiles(folder: string): void {
  for (const name of namesIn(folder)) {
    const [, machine, pid] = TEMPORARY.exec(name) ?? [];
    if (machine === undefined) continue;
    const path = join(folder, name);
    if (machine === MACHINE ? !isAlive(Number(pid)) : isOld(path)) remove(path);
  }
}

/** Nothing where the folder is not to be read: whoever writes there says so. */
function namesIn(folder: string): string[] {
  return unlessRefused(() => readdirSync(folder)) ?? [];
}

function remove(path: string): void {
  unlessRefused(() => rmSync(path, { force: true }));
}

function isOld(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > FOREVER;
}

/** Whether a process of this machine lives. One of another user does, and may not be signalled. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function unlessRefused<R>(work: () => R): R | undefined {
  try {
    return work();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
