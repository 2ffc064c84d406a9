import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { requireRegularFile } from "../../files/regular.ts";
import { type ImageObjects, objectScores } from "../../metrics/object-scores.ts";
import type { PartingDepths } from "../../objects/split.ts";
import { runPaths } from "../run/run-folder.ts";

const ruleSchema = z.object({
  class: z.number().int().min(1),
  name: z.string(),
  /** Pixels by which a neck must lie below the middles on both its sides; null: touching objects stay one. */
  depth: z.number().min(0).nullable(),
  /** Panoptic quality on the validation images without parting and by the rule, percent; null where no object is. */
  pq: z.object({ before: z.number().nullable(), after: z.number().nullable() }),
});

const schema = z.object({
  format: z.literal("svanet separate 1"),
  chosenOn: z.object({ data: z.string(), split: z.string(), images: z.number(), checkpoint: z.string() }),
  rules: z.array(ruleSchema),
});

/** How touching objects of one foreground class are parted. */
export type SeparationRule = z.infer<typeof ruleSchema>;
/** The content of a run's separate.json. */
export type Separation = z.infer<typeof schema>;

const separationPath = (run: string): string => join(runPaths(run).folder, "separate.json");

/** Writes a run's rules. */
export function writeSeparation(run: string, { chosenOn, rules }: Omit<Separation, "format">): string {
  const path = separationPath(run);
  writeFileAtomic(path, `${JSON.stringify({ format: "svanet separate 1", chosenOn, rules }, null, 2)}\n`);
  return path;
}

/** The depths that were chosen for a run; undefined where none were. DataError for a damaged file or another network's. */
export function readSeparation(run: string, classes: number): PartingDepths | undefined {
  const path = separationPath(run);
  if (!existsSync(path)) return undefined;
  requireRegularFile(path);
  const advice = "choose the rules anew with svanet eval --choose-separate, or give a depth";
  let found: Separation;
  try {
    found = schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    throw new DataError(`${path}: the file is damaged; ${advice}`);
  }
  if (found.rules.some((rule) => rule.class >= classes)) {
    throw new DataError(`${path}: the rules are for more than the ${classes} classes of this network; ${advice}`);
  }
  return Array.from({ length: classes - 1 }, (_, c) => found.rules.find((rule) => rule.class === c + 1)?.depth ?? null);
}

/** Depths that are tried, the one that changes nothing first: a tie is decided for the earlier one. Pixels. */
export const DEPTHS: readonly (number | null)[] = [null, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8];

/** Chooses on validation images how touching objects are parted: for each class what gives the best panoptic quality. */
export class SeparationChoice {
  readonly #classes: readonly string[];
  readonly #tried = DEPTHS.map((): ImageObjects[] => []);
  images = 0;

  /** Names by label, background first. */
  constructor(classes: readonly string[]) {
    this.#classes = classes;
  }

  /** Takes one image, compared by each of {@link DEPTHS} in turn, every class. */
  add(compared: (depth: number | null) => readonly ImageObjects[]): void {
    for (const [at, depth] of DEPTHS.entries()) this.#tried[at]?.push(...compared(depth));
    this.images++;
  }

  /** The best rule of every foreground class; one that changes nothing where no other is better. */
  rules(): SeparationRule[] {
    const scores = this.#tried.map((images) => objectScores(images).classes);
    return this.#classes.slice(1).map((name, c) => {
      const qualities = scores.map((classes) => classes.find((score) => score.class === c + 1)?.pq ?? Number.NaN);
      const known = (pq: number | undefined) => (pq === undefined || Number.isNaN(pq) ? null : pq);
      let best = 0;
      for (const at of DEPTHS.keys()) if ((qualities[at] ?? 0) > (qualities[best] ?? 0) + 1e-9) best = at;
      const pq = { before: known(qualities[0]), after: known(qualities[best]) };
      return { class: c + 1, name, depth: DEPTHS[best] ?? null, pq };
    });
  }
}
