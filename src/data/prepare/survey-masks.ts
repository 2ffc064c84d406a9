import { readBytes } from "../decode.ts";
import { levelsOf, type MaskLevels } from "../masks/mask-levels.ts";
import { readStored } from "../masks/read-mask.ts";
import { ThreadPool, threadProgram } from "../thread-pool.ts";

/** Masks up to this number are read in this thread: starting others takes as long. */
const MASKS_BEFORE_THREADS = 24;

/** Reads one mask and measures it. Throws DataError naming it where it is damaged. */
export async function readMaskLevels(file: string): Promise<MaskLevels> {
  return levelsOf(await readStored(await readBytes(file), file));
}

/**
 * Measures every mask of a set, in the order of `files`: what its numbers mean is decided by all of them. Throws the
 * DataError of the first that is damaged.
 */
export async function surveyMasks(files: readonly string[], workers: number): Promise<readonly MaskLevels[]> {
  const entry = threadProgram(import.meta.url, "mask-worker");
  const threads = files.length > MASKS_BEFORE_THREADS ? workers : 0;
  const pool = new ThreadPool({ here: readMaskLevels, entry, fileOf: (file: string) => file }, threads);
  const found: MaskLevels[] = [];
  let next = 0;
  const walk = async () => {
    for (let at = next++; at < files.length; at = next++) found[at] = await pool.run(files[at] ?? "");
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, 2 * threads) }, walk));
  } finally {
    await pool.close();
  }
  return found;
}
