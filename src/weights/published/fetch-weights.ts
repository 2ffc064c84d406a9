import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { CheckpointError } from "../../errors.ts";
import { syncFolder } from "../../files/atomic.ts";
import { writing } from "../../files/failure.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import { byHand, faultOf } from "./find-weights.ts";
import type { PublishedFile } from "./published-files.ts";

/** What a fetch may be told; tests shorten its patience. */
export interface FetchOptions {
  /** Bytes that are there, and of how many; undefined where the server does not say. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** Tries before it is given up; each goes on where the one before ended. */
  readonly tries?: number;
  /** Milliseconds without a byte after which a try is over. */
  readonly patience?: number;
  /** Milliseconds before the second try; twice as many before each further one. */
  readonly pause?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** More than any published file has, where its length is not known: a server that never ends is cut off. */
const LONGEST = 2 ** 32;

/** What may be tried again: a connection that broke, a server that is busy. */
class Interruption extends Error {}

/**
 * Fetches a published file into `folder` and returns its path. What arrives lies in `FILE.part` until length and SHA-256 are
 * right, and a fetch that ended early goes on from there, in another process too; the file appears whole. Two processes that
 * fetch the same file write the same bytes to the same places. Throws CheckpointError with what to do by hand where it cannot
 * be fetched or is not what was published, OutputError where the folder takes nothing.
 */
export async function fetchPublished(file: PublishedFile, folder: string, options: FetchOptions = {}): Promise<string> {
  const { env = process.env, tries = 3, pause = 1000 } = options;
  if (env["SVANET_OFFLINE"]) {
    throw new CheckpointError(`${file.name}: SVANET_OFFLINE is set, so nothing is fetched; ${byHand(file)}`);
  }
  requireWritableFolder(folder);
  makeFolder(folder);
  const path = join(folder, file.file);
  const part = `${path}.part`;
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(file, part, options);
      return await named(file, part, path);
    } catch (error) {
      if (!(error instanceof Interruption)) throw error;
      if (attempt === tries) throw notFetched(file, error.message, env);
      await after(pause * 2 ** (attempt - 1));
    }
  }
}

/** Appends to `part` what it lacks. Throws Interruption where another try may help. */
async function fetchRest(file: PublishedFile, part: string, options: FetchOptions): Promise<void> {
  const { env = process.env, patience = 30_000, onProgress } = options;
  const start = statSync(part, { throwIfNoEntry: false })?.size ?? 0;
  if (start > 0 && start === file.bytes) return;
  const stall = new AbortController();
  const timer = setTimeout(() => stall.abort(), patience);
  try {
    const headers = { "accept-encoding": "identity", ...(start > 0 ? { range: `bytes=${start}-` } : {}) };
    const response = await fetch(file.url, { headers, signal: stall.signal });
    if (response.status === 416) return; // nothing is lacking: the hash decides
    if (!response.ok || response.body === null) throw refusal(file, response.status, env);
    const begin = response.status === 206 ? start : 0;
    const total = totalOf(file, response, begin);
    let at = begin;
    await writingInto(part, async (write) => {
      for await (const piece of response.body ?? []) {
        timer.refresh();
        write(piece, at);
        at += piece.length;
        onProgress?.(at, total);
        if (at > (total ?? LONGEST)) break; // its length is found wrong
      }
      return at;
    });
    if (total !== undefined && at < total) throw new Interruption(`the connection ended after ${at} of ${total} bytes`);
  } catch (error) {
    throw stall.signal.aborted
      ? new Interruption(`no byte came for ${patience / 1000} seconds`)
      : asInterruption(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Opens `part` for pieces at their places; afterwards it ends where `work` says. */
async function writingInto(
  part: string,
  work: (write: (piece: Uint8Array, at: number) => void) => Promise<number>,
): Promise<void> {
  const handle = writing(part, () => openSync(part, existing(part) ? "r+" : "wx+"));
  try {
    const end = await work((piece, at) => {
      for (let done = 0; done < piece.length; ) {
        done += writing(part, () => writeSync(handle, piece, done, piece.length - done, at + done));
      }
    });
    writing(part, () => {
      ftruncateSync(handle, end);
      fsyncSync(handle);
    });
  } finally {
    closeSync(handle);
  }
}

const existing = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

/** Gives a whole file its name; one whose bytes are wrong is removed. */
async function named(file: PublishedFile, part: string, path: string): Promise<string> {
  if (!existing(part) && existing(path)) return path; // another process was quicker
  const fault = await faultOf(part, file);
  if (fault !== null) {
    rmSync(part, { force: true });
    throw notPublished(file, fault);
  }
  writing(path, () => {
    renameSync(part, path);
    syncFolder(dirname(path));
  });
  return path;
}

/** The whole file's length, which the server must not contradict. */
function totalOf(file: PublishedFile, response: Response, begin: number): number | undefined {
  const length = Number(response.headers.get("content-length") ?? "");
  const told = Number.isSafeInteger(length) && length > 0 ? begin + length : undefined;
  if (file.bytes === undefined || told === undefined || told === file.bytes) return file.bytes ?? told;
  throw notPublished(file, `has ${told} bytes, ${file.file} has ${file.bytes}`);
}

function notPublished(file: PublishedFile, fault: string): CheckpointError {
  return new CheckpointError(
    `${file.url} ${fault}: what comes is not what was published (a proxy's page, perhaps), and is not kept; try again, ` +
      `or ${byHand(file)}`,
  );
}

function refusal(file: PublishedFile, status: number, env: FetchOptions["env"]): Error {
  const sentence = `the server answers ${status}`;
  return status >= 500 || status === 408 || status === 429
    ? new Interruption(sentence)
    : notFetched(file, sentence, env);
}

/** An error of `fetch`, whose cause says what happened; refusals of the disk and our own sentences stay as they are. */
function asInterruption(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const said = cause instanceof Error ? cause.message : error.message;
  return new Interruption([said, ...(code === "" || said.includes(code) ? [] : [code])].filter(Boolean).join(", "));
}

/** That it could not be fetched, with a word on proxies where one is set: Node goes past it unless it is told. */
function notFetched(file: PublishedFile, reason: string, env: FetchOptions["env"] = {}): CheckpointError {
  const proxy = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].find((name) => env[name]);
  const word =
    proxy === undefined || env["NODE_USE_ENV_PROXY"] === "1"
      ? ""
      : `; ${proxy} is set, which Node 24 and later follow with NODE_USE_ENV_PROXY=1 and older ones do not`;
  return new CheckpointError(`${file.name} cannot be fetched (${reason}${word}); ${byHand(file)}`);
}
