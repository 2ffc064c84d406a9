import { SvanetError } from "../../errors.ts";

/** The system's code of a failed call such as ENOSPC or EISDIR, else its message. */
export function faultOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}

/**
 * Does something with a file or folder of a run; what the system refuses (a full disk, a folder in a file's place)
 * becomes one sentence: "PATH cannot be written (ENOSPC)".
 */
export function withFile<R>(path: string, done: string, work: () => R): R {
  try {
    return work();
  } catch (error) {
    if (error instanceof SvanetError || !(error instanceof Error && "syscall" in error)) throw error;
    throw new SvanetError(`${path} cannot be ${done} (${faultOf(error)})${ADVICE[faultOf(error)] ?? ""}`, {
      cause: error,
    });
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: ": the disk is full; make room and go on with --resume",
  EDQUOT: ": your share of the disk is used up; make room and go on with --resume",
  EROFS: ": the file system can only be read; choose another --out",
  EACCES: ": it belongs to somebody else; choose another --out",
  EISDIR: ": there is a folder in its place; move it away",
  EEXIST: ": there is a file in its place; move it away",
  ENOTDIR: ": there is a file in the place of its folder; move it away",
};
