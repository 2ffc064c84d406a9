import { UsageError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { readSlurmSettings, type SlurmSettings } from "../experiment/study/launch/slurm/settings.ts";
import type { StudyFlags } from "./study-flags.ts";

/** Processes that carry the runs of a study out, here or on a cluster. */
export type ProcessChoice =
  | { readonly kind: "jobs"; readonly jobs: number; readonly adapters: readonly string[] }
  | { readonly kind: "slurm"; readonly settings: SlurmSettings; readonly adapter: string | undefined };

/** Who carries the runs of a study out: this process, processes, or whoever takes the printed commands. */
export type LauncherChoice = { readonly kind: "here" } | { readonly kind: "print" } | ProcessChoice;

/** The launcher that flags ask for. UsageError for flags that do not go together, and as {@link readSlurmSettings} throws. */
export function chosenLauncher(
  { adapter }: Pick<TrainConfig, "adapter">,
  { launcher = "here", jobs, slurm }: Pick<StudyFlags, "launcher" | "jobs" | "slurm">,
): LauncherChoice {
  if (slurm !== undefined && launcher !== "slurm") {
    throw new UsageError(`--slurm ${slurm}: only a cluster reads it; add --launcher slurm`);
  }
  if (launcher !== "here" && jobs !== undefined) {
    throw new UsageError(
      `--jobs ${jobs}: it is for this machine; how many runs --launcher ${launcher} has at a time is decided elsewhere`,
    );
  }
  if (launcher === "print") return { kind: "print" };
  if (launcher === "slurm") {
    if (slurm === undefined) {
      throw new UsageError(
        "--launcher slurm: name a file of what a task asks for, --slurm cluster.yaml (docs/experiments.md)",
      );
    }
    return { kind: "slurm", settings: readSlurmSettings(slurm), adapter: adapter ?? undefined };
  }
  if (jobs === undefined || jobs === 1) return { kind: "here" };
  const adapters = adapter === null ? [] : adapter.split(",").map((name) => name.trim());
  if (adapters.includes("")) throw new UsageError(`--adapter ${adapter}: a name between two commas is empty`);
  return { kind: "jobs", jobs, adapters };
}
