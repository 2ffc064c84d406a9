import { z } from "zod";
import { UsageError } from "../../../../errors.ts";
import { readConfigFile } from "../../../settings/config-file.ts";
import { misfit, requireKnownKeys } from "../../../settings/misfit.ts";

/** What stands in a line of sbatch: anything else could end it and begin another. */
const ONE_LINE = "expected one line of text";
const line = z
  .string(ONE_LINE)
  .min(1, ONE_LINE)
  .refine((text) => !/[\r\n\0]/.test(text), ONE_LINE);
/** Names of the cluster: no option may be smuggled in behind one. */
const NAME = "expected a name without spaces";
const name = z.string(NAME).regex(/^[^\s-]\S*$/, NAME);
const TIME = "expected minutes, or a time as sbatch takes it, such as 4:00:00 or 1-12:00:00";
const time = z.union([z.int(TIME).min(1, TIME), z.string(TIME).regex(/^(\d+-)?\d+(:\d\d){0,2}$/, TIME)], TIME);
const GPUS = "expected a number of GPUs, or a type with one, such as a100:1";
const gpus = z.union([z.int(GPUS).min(0, GPUS), z.string(GPUS).regex(/^[\w.-]+(:\d+)?$/, GPUS)], GPUS);
const MEMORY = "expected megabytes, or a size such as 16G";
const memory = z.union([z.int(MEMORY).min(1, MEMORY), z.string(MEMORY).regex(/^\d+[KMGT]?$/, MEMORY)], MEMORY);
const COUNT = "expected a whole number, at least 1";
const count = z.int(COUNT).min(1, COUNT);
const SECONDS = "expected whole seconds from 10 to 65535";
const seconds = z.int(SECONDS).min(10, SECONDS).max(65535, SECONDS);
const LINES = "expected a list of lines, each a text of its own";
const OPTION = "expected an option of sbatch, such as --constraint=a100";

const slurmSchema = z.strictObject({
  partition: name.optional(),
  account: name.optional(),
  qos: name.optional(),
  /** Of a task, which is one run. */
  time: time.optional(),
  gpus: gpus.default(1),
  cpus: count.default(4),
  mem: memory.optional(),
  /** Tasks at a time. */
  limit: count.optional(),
  /** Seconds before the end of its time at which a run is asked to save, so that it goes on in a new turn. */
  grace: seconds.default(120),
  /** Seconds between two looks at the queue. */
  poll: z.number("expected seconds").positive("expected seconds").default(15),
  /** Lines of shell that stand before the run, such as `module load vulkan`. */
  before: z.array(line, LINES).default([]),
  /** Further options of sbatch, one a line. */
  sbatch: z.array(line.regex(/^--?\w/, OPTION), LINES).default([]),
});

/** How tasks are asked of a cluster. */
export type SlurmSettings = z.output<typeof slurmSchema>;

/** Reads the file of `--slurm`. UsageError where it cannot be read, names an unknown key, or holds a value that does not fit. */
export function readSlurmSettings(path: string): SlurmSettings {
  const file = readConfigFile(path, "--slurm");
  requireKnownKeys(file, Object.keys(slurmSchema.shape));
  const parsed = slurmSchema.safeParse(file.values);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.map((issue) => misfit(file.where(String(issue.path[0])), file.values, issue));
  throw new UsageError(sentences.join("\n"));
}
