import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../../../../errors.ts";
import { writeFileAtomic } from "../../../../files/atomic.ts";

const submissionSchema = z.object({
  /** The job array's id, as sbatch gave it. */
  job: z.string().regex(/^\d+$/),
  /** Run files in the order of the tasks. */
  files: z.array(z.string()),
});

/** A job array that was submitted for a study. */
export type Submission = z.output<typeof submissionSchema>;

const schema = z.object({ submissions: z.array(submissionSchema) });

/** Where everything of a study on Slurm lies: scripts, what was submitted, and what tasks print. */
export const slurmFolder = (study: string): string => join(study, "slurm");

const recordOf = (study: string): string => join(slurmFolder(study), "jobs.json");

/** The arrays that were submitted for a study, oldest first. UsageError where the record is damaged. */
export function readSubmissions(study: string): readonly Submission[] {
  const path = recordOf(study);
  if (!existsSync(path)) return [];
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8"))).submissions;
  } catch (error) {
    throw new UsageError(
      `${path} is damaged: which jobs were submitted is not known; see squeue --me, and remove the file once none of them is left`,
      { cause: error },
    );
  }
}

/** Adds an array to the record. */
export function addSubmission(study: string, submission: Submission): void {
  const submissions = [...readSubmissions(study), submission];
  writeFileAtomic(recordOf(study), `${JSON.stringify({ submissions }, null, 1)}\n`);
}
