import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { DataError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { reasonOf } from "../../files/failure.ts";
import { requireRegularFile } from "../../files/regular.ts";

/** The files a run is trained and validated on: SHA-256 of the content by name in the dataset's folder. */
export type DataIndex = ReadonlyMap<string, string>;

/** What data.json holds: the files, and the mean and deviation that the data set then had. */
export interface DataRecord extends PixelStatistics {
  readonly files: DataIndex;
}

const perChannel = z.array(z.number()).min(1);

const indexSchema = z.strictObject({
  version: z.literal(1),
  mean: perChannel,
  std: perChannel,
  files: z.array(z.tuple([z.string(), z.string().regex(/^[0-9a-f]{64}$/)])),
});

/** What a run's data.json holds; undefined where there is none, "damaged" where it cannot be read. */
export function readDataRecord(path: string): DataRecord | "damaged" | undefined {
  if (!existsSync(path)) return undefined;
  requireRegularFile(path);
  try {
    const { files, mean, std } = indexSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return { files: new Map(files), mean, std };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return "damaged";
    const reason = reasonOf(error);
    throw reason === undefined ? error : new DataError(`${path}: cannot be read: ${reason}`);
  }
}

/** One file a line, by name: a person can compare two. */
export function writeDataRecord(path: string, { files, mean, std }: DataRecord): void {
  const lines = sorted(files).map((entry) => `    ${JSON.stringify(entry)}`);
  const head = `"version": 1,\n  "mean": ${JSON.stringify(mean)},\n  "std": ${JSON.stringify(std)}`;
  const text = `{\n  ${head},\n  "files": [\n${lines.join(",\n")}\n  ]\n}\n`;
  writeFileAtomic(path, text);
}

/** What differs, a clause each: swapped pairs first, then files that changed, are gone or are new. */
export function changedFiles(before: DataIndex, now: DataIndex): string[] {
  const changed = sorted(before).filter(([name, hash]) => now.has(name) && now.get(name) !== hash);
  const owners = new Map(changed.map(([name, hash]) => [hash, name] as const));
  const swapped = changed.flatMap(([name, hash]) => {
    const other = owners.get(now.get(name) ?? "");
    return other !== undefined && other > name && now.get(other) === hash ? [[name, other] as const] : [];
  });
  const inPair = new Set(swapped.flat());
  return [
    ...swapped.map(([one, other]) => `${one} and ${other} are swapped`),
    ...changed.filter(([name]) => !inPair.has(name)).map(([name]) => `${name} is another`),
    ...sorted(before).flatMap(([name]) => (now.has(name) ? [] : [`${name} is gone`])),
    ...sorted(now).flatMap(([name]) => (before.has(name) ? [] : [`${name} is new`])),
  ];
}

function sorted(index: DataIndex): (readonly [name: string, hash: string])[] {
  return [...index].sort(([a], [b]) => (a < b ? -1 : 1));
}
