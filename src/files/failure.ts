import { OutputError } from "../errors.ts";

/** What the operating system's refusals mean to a person, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied; choose another place, or ask for the right to it",
  EBUSY: "it is in use by another program; close that first",
  EDQUOT: "the quota of this user is used up; free some space or choose another disk",
  EFBIG: "the file would be larger than this disk or the limit of this shell (ulimit -f) allows; choose another disk",
  EIO: "the disk or its connection fails; look after the hardware, or choose another disk",
  EISDIR: "there is a folder of that name; remove it or choose another name",
  ELOOP: "symbolic links lead in a circle; name the place itself",
  EMFILE: "too many files are open in this process; raise ulimit -n, or use fewer --workers",
  ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
  ENFILE: "too many files are open on this machine; close other programs",
  ENOENT: "the folder does not exist or cannot hold files; choose another place",
  ENOSPC: "the disk is full; free some space or choose another disk",
  ENOTDIR: "a part of the path is a file; name a folder",
  EPERM: "the operation is not permitted here; choose another place",
  EROFS: "the file system is read-only; choose another place",
  ESTALE: "the network disk has lost the file; mount it again",
  ETIMEDOUT: "the network disk does not answer; mount it again",
  ETXTBSY: "it is in use by another program; close that first",
};

/** The operating system's code of an error (`ENOSPC`); undefined where it is none of the operating system's. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Why the operating system refused something, with what to do; undefined for an error of any other origin. */
export function reasonOf(error: unknown): string | undefined {
  const code = codeOf(error);
  if (code === undefined) return undefined;
  return REASONS[code] ?? `the operating system refused it (${code})`;
}

/** The operating system's refusal to write `path` as an OutputError; any other error as it is. */
export function writeFailure(path: string, error: unknown): unknown {
  const reason = reasonOf(error);
  return reason === undefined ? error : new OutputError(`${path}: cannot be written: ${reason}`, { cause: error });
}

/** Does `work`, which writes `path`. Throws OutputError where the operating system refuses. */
export function writing<R>(path: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    throw writeFailure(path, error);
  }
}

/** As {@link writing}, for work that takes its time. */
export async function writingSlowly<R>(path: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw writeFailure(path, error);
  }
}
