import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, UsageError } from "../../errors.ts";
import { requireWeightsFile } from "../open-weights.ts";
import { isPublishedName, isWholeHash, PUBLISHED_FILES, type PublishedFile, publishedFile } from "./published-files.ts";
import { torchFolder, weightsFolder } from "./weights-folder.ts";

/** Where a published file is looked for: `--weights-dir` or the cache, which is also written to, then PyTorch's cache. */
export interface WeightsPlaces {
  readonly folder: string;
  readonly others: readonly string[];
}

/** The places of a `--weights-dir`, null for none. */
export function weightsPlaces(folder: string | null): WeightsPlaces {
  return { folder: folder ?? weightsFolder(), others: [torchFolder()] };
}

/** The path of a published file, whether or not it is whole; undefined where no place has it. */
export function placeOf({ file }: PublishedFile, { folder, others }: WeightsPlaces): string | undefined {
  return [folder, ...others].map((one) => join(one, file)).find((path) => existsSync(path));
}

/** SHA-256 of a file's bytes in lower-case hexadecimal digits. Throws CheckpointError where it is no regular file. */
export async function sha256Of(path: string): Promise<string> {
  requireWeightsFile(path);
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest("hex");
}

/**
 * What is wrong with the bytes at `path` as the published file; null where length and SHA-256 are right, as far as they are
 * known. Reads the whole file.
 */
export async function faultOf(path: string, file: PublishedFile): Promise<string | null> {
  requireWeightsFile(path);
  const { size } = statSync(path);
  if (file.bytes !== undefined && size !== file.bytes) return `has ${size} bytes, ${file.file} has ${file.bytes}`;
  const found = await sha256Of(path);
  if (found.startsWith(file.sha256)) return null;
  const [is, should] = isWholeHash(file) ? [found, file.sha256] : [`${found.slice(0, 8)}...`, `${file.sha256}...`];
  return `has the SHA-256 ${is}, ${file.file} has ${should}`;
}

/** How to get a file by hand, as the end of a sentence. */
export function byHand({ name, file, url, page }: PublishedFile): string {
  return (
    `its publisher lists it at ${page} as ${file} (${url}): save it by a browser, on whatever machine, then run ` +
    `svanet weights add ${name} ${file}`
  );
}

/** The path of a published file after its bytes were checked; undefined where no place has it. Throws CheckpointError for a damaged one. */
export async function findPublished(file: PublishedFile, places: WeightsPlaces): Promise<string | undefined> {
  const path = placeOf(file, places);
  if (path === undefined) return undefined;
  const fault = await faultOf(path, file);
  if (fault === null) return path;
  throw new CheckpointError(`${path}: ${fault}; remove it and fetch it again with svanet weights add ${file.name}`);
}

/**
 * The file that `--weights` means: a path as it is, a published name's file where it lies. Nothing is fetched here. Throws
 * UsageError for an unknown name, CheckpointError with where to get it for a file that is in no place or damaged.
 */
export async function weightsPath(weights: string, folder: string | null): Promise<string> {
  if (!isPublishedName(weights) || existsSync(weights)) return weights;
  const file = publishedFile(weights);
  const places = weightsPlaces(folder);
  const path = await findPublished(file, places);
  if (path !== undefined) return path;
  throw new CheckpointError(`${weights}: ${file.file} is not in ${places.folder}; svanet weights add ${file.name}`);
}

/** Throws UsageError where a text that names no published file is no file either. */
export function requireKnownWeights(weights: string): void {
  if (existsSync(weights)) return;
  if (isPublishedName(weights)) {
    publishedFile(weights);
    return;
  }
  const meant = PUBLISHED_FILES.find(({ name, file }) => name.endsWith(`:${weights}`) || file === weights);
  const hint = meant === undefined ? "" : `; ${meant.name} is the public file's name here, which is fetched`;
  throw new UsageError(`--weights ${weights}: there is no such file${hint}`);
}
