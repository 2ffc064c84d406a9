import { stringify } from "yaml";
import { packageInfo } from "../../package-info.ts";
import type { Window } from "../formats/window.ts";
import { readingText } from "../masks/parse-reading.ts";
import { keptWindow } from "./keep-values.ts";
import type { PreparationPlan, SetKind, Settings, Task, TaskVolume } from "./plan.ts";

/** Pictures that are copied are seen through a window later, when they are read. */
const isCopied = (task: Task) => task.kind === "picture" && task.page === undefined && task.channels === undefined;

/** The window that every image was drawn through; undefined where there is none, or each scan has its own. */
function commonWindow(tasks: readonly Task[]): Window | undefined {
  const [first, ...others] = tasks.map((task) => ("window" in task && !isCopied(task) ? task.window : undefined));
  return others.every((other) => other?.low === first?.low && other?.high === first?.high) ? first : undefined;
}

/** How a dataset folder came about. */
interface Origin {
  readonly set: SetKind;
  readonly settings: Settings;
  /** The command as it was given. */
  readonly command: string;
  /** Of tasks, settings and raw files together. */
  readonly fingerprint: string;
  /** What was found while the raw files were read. */
  readonly notes: readonly string[];
  /** The volumes that were cut into slices. */
  readonly volumes: readonly TaskVolume[];
}

/** Volumes by name, each with its spacing in millimetres where that is known. */
const volumeList = (volumes: readonly TaskVolume[]) =>
  Object.fromEntries(volumes.map(({ name, spacing }) => [name, spacing ? { spacing: [...spacing] } : {}]));

/** The content of dataset.yaml: names, and all that a reader needs to make the folder again. */
export function datasetYaml(
  plan: PreparationPlan,
  { set, settings, command, fingerprint, notes, volumes }: Origin,
): string {
  const { name, classes, colours, modality, licence, source } = plan;
  const { window, reading, ...rest } = settings;
  const common = commonWindow(plan.tasks);
  const provenance = {
    ...{
      set: plan.recognised?.as ?? set.name,
      source,
      command,
      program: `svanet ${packageInfo().version}`,
      fingerprint,
    },
    settings: {
      ...rest,
      window: window === undefined ? "the set's own" : [window.low, window.high],
      ...(reading ? { masks: readingText(reading) } : {}),
    },
    ...(common ? { window: { low: common.low, high: common.high } } : {}),
    how: [...(plan.recognised ? [plan.recognised.sentence] : []), ...plan.notes],
    ...(notes.length > 0 ? { notes } : {}),
  };
  const copied = plan.tasks.find(isCopied);
  const later = keptWindow(plan.tasks) ?? (copied?.kind === "picture" ? copied.window : undefined);
  return stringify({
    name,
    ...(later ? { window: { low: later.low, high: later.high } } : {}),
    ...(classes ? { classes } : {}),
    ...(colours ? { colours } : {}),
    modality,
    licence,
    ...(volumes.length > 0 ? { volumes: volumeList(volumes) } : {}),
    provenance,
  });
}
