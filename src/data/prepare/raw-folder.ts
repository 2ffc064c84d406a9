import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { requireRegularFile } from "../../files/regular.ts";

interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

const numbers = new Intl.Collator("en", { numeric: true });

/** Names in a folder, hidden ones left out, numbers in the order of their values; undefined where there is no such folder. */
export async function list(folder: string): Promise<Listing | undefined> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
    const isFolder = new Map<string, boolean>();
    for (const entry of entries) {
      // A link counts as what it points to; one to nowhere as a file, which whoever opens it says.
      const path = join(folder, entry.name);
      const real = entry.isSymbolicLink() ? await stat(path).catch(() => entry) : entry;
      if (!real.isDirectory()) requireRegularFile(path);
      isFolder.set(entry.name, real.isDirectory());
    }
    const names = [...isFolder.keys()].sort((a, b) => numbers.compare(a, b) || (a < b ? -1 : 1));
    return { files: names.filter((name) => !isFolder.get(name)), folders: names.filter((name) => isFolder.get(name)) };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new DataError(`${folder}: the folder cannot be read (${String(error)})`);
  }
}

/** The error of a folder that is not what was asked for: what was expected, what is there. */
export async function notThis(raw: string, set: string, expected: string): Promise<DataError> {
  const listing = await list(raw);
  if (listing === undefined) {
    const zip = /\.(zip|tar|t?gz|7z|rar)$/i.test(raw) ? "; unpack the archive and name the folder" : "";
    return new DataError(`${raw}: there is no such folder${zip}. Expected for ${set}: ${expected}`);
  }
  const found = [...listing.folders.map((name) => `${name}/`), ...listing.files];
  const shown = found.length === 0 ? "nothing" : found.slice(0, 8).join(", ") + (found.length > 8 ? ", ..." : "");
  return new DataError(`${raw}: this does not look like ${set}. Expected: ${expected}. Found: ${shown}`);
}

/**
 * Looks for a known layout in a folder someone downloaded: `folder` itself or the nearest folder inside it, at most
 * two levels down, for which `matches` holds.
 */
export async function findInside(
  folder: string,
  matches: (listing: Listing, folder: string) => boolean,
): Promise<string | undefined> {
  let level = [folder];
  for (let depth = 0; depth <= 2; depth++) {
    const next: string[] = [];
    for (const candidate of level) {
      const listing = await list(candidate);
      if (listing === undefined) continue;
      if (matches(listing, candidate)) return candidate;
      next.push(...listing.folders.map((name) => join(candidate, name)));
    }
    level = next;
  }
  return undefined;
}

/** Files of a folder with one of the endings (lower case, with dot); empty where there is no such folder. */
export async function filesWith(folder: string, endings: readonly string[]): Promise<readonly string[]> {
  const { files = [] } = (await list(folder)) ?? {};
  return files.filter((name) => endings.some((ending) => name.toLowerCase().endsWith(ending)));
}

/** A sentence naming the first few of many. */
function firstOf(names: readonly string[], count = 5): string {
  return names.slice(0, count).join(", ") + (names.length > count ? ` and ${names.length - count} more` : "");
}

/** Throws DataError where images lack their masks or masks their images. */
export function requirePairs(folder: string, images: readonly string[], masks: readonly string[]): void {
  const [imageSet, maskSet] = [new Set(images), new Set(masks)];
  const alone = images.filter((name) => !maskSet.has(name));
  const unused = masks.filter((name) => !imageSet.has(name));
  if (alone.length === 0 && unused.length === 0) return;
  const parts = [
    ...(alone.length > 0 ? [`without mask: ${firstOf(alone)}`] : []),
    ...(unused.length > 0 ? [`without image: ${firstOf(unused)}`] : []),
  ];
  throw new DataError(`${folder}: images and masks do not pair up (${parts.join("; ")}); complete the download`);
}
