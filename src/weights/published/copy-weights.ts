import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { CheckpointError } from "../../errors.ts";
import { AtomicFile } from "../../files/atomic.ts";
import { makeFolder, requireWritableFolder } from "../../files/folder.ts";
import { byHand, faultOf } from "./find-weights.ts";
import type { PublishedFile } from "./published-files.ts";

/**
 * Puts a copy of `from`, whatever it is called, into `folder` under the published name, whole or not at all; returns its path.
 * Throws CheckpointError where its bytes are not those that were published, OutputError where the folder takes nothing.
 */
export async function copyPublished(file: PublishedFile, from: string, folder: string): Promise<string> {
  requireWritableFolder(folder);
  const fault = await faultOf(from, file);
  if (fault !== null) throw new CheckpointError(`${from}: ${fault}: it is not ${file.name}; ${byHand(file)}`);
  const path = join(folder, file.file);
  if (resolve(from) === resolve(path)) return path;
  makeFolder(folder);
  const copy = new AtomicFile(path);
  try {
    for await (const piece of createReadStream(from)) copy.append(piece as Uint8Array);
    copy.finish();
  } catch (error) {
    copy.discard();
    throw error;
  }
  return path;
}
