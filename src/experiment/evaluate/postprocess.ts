import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { DataError, UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { requireRegularFile } from "../../files/regular.ts";
import type { ClassRule } from "../../inference/object-rules.ts";
import { runPaths } from "../run/run-folder.ts";

const ruleSchema: z.ZodType<ClassRule> = z.object({
  class: z.number().int().min(1),
  name: z.string(),
  largest: z.boolean(),
  minPercent: z.number().min(0).max(100),
  dice: z.object({ before: z.number(), after: z.number() }),
});

const schema = z.object({
  format: z.literal("svanet postprocess 1"),
  chosenOn: z.object({ data: z.string(), split: z.string(), images: z.number(), checkpoint: z.string() }),
  rules: z.array(ruleSchema),
});

/** The content of a run's postprocess.json. */
export type Postprocess = z.infer<typeof schema>;

/** Where a run keeps its rules. */
const postprocessPath = (run: string): string => join(runPaths(run).folder, "postprocess.json");

/** Writes a run's rules. */
export function writePostprocess(run: string, { chosenOn, rules }: Omit<Postprocess, "format">): string {
  const path = postprocessPath(run);
  writeFileAtomic(path, `${JSON.stringify({ format: "svanet postprocess 1", chosenOn, rules }, null, 2)}\n`);
  return path;
}

/** The rules of a run. UsageError where none were chosen, DataError for a damaged file or another network's. */
export function readPostprocess(run: string, classes: number): Postprocess {
  const path = postprocessPath(run);
  if (!existsSync(path)) {
    throw new UsageError(
      `--postprocess: ${path} does not exist; choose the rules on validation images first: ` +
        `svanet eval ${run} --data DATA --choose-postprocess`,
    );
  }
  requireRegularFile(path);
  try {
    const found = schema.parse(JSON.parse(readFileSync(path, "utf8")));
    if (found.rules.every((rule) => rule.class < classes)) return found;
  } catch {
    throw new DataError(`${path}: the file is damaged; choose the rules anew with svanet eval --choose-postprocess`);
  }
  throw new DataError(`${path}: the rules are for more than the ${classes} classes of this network; choose them anew`);
}
