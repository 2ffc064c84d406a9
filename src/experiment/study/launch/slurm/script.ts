import { shellLine, shellWord } from "../program.ts";
import type { SlurmSettings } from "./settings.ts";

/** What a job script is written for. */
export interface JobScript {
  readonly settings: SlurmSettings;
  /** The words of each task, in the order of the array. */
  readonly commands: readonly (readonly string[])[];
  /** Whether earlier jobs may have left locks of nodes that are gone. */
  readonly again: boolean;
}

/**
 * The script of a job array, one run a task. It passes USR1 and TERM on to the run, which ends its step, saves and ends. Then it has
 * Slurm put the task back into the queue, by the signal and not by an exit code, unless the run was at its end or somebody
 * cancelled the task. A task that Slurm itself has started again takes the lock that the lost node left.
 */
export function jobScript({ settings, commands, again }: JobScript): string {
  const cases = commands.map((words, task) => `  ${task}) set -- ${shellLine(words)} ;;`);
  return [
    "#!/bin/bash",
    ...sbatchOptions(settings).map((option) => `#SBATCH ${option}`),
    "",
    ...SIGNALS,
    ...settings.before,
    "",
    'case "$SLURM_ARRAY_TASK_ID" in',
    ...cases,
    "esac",
    "# A node that is gone cannot be asked about its lock; the scheduler says that this task alone has the run.",
    `if [ ${again ? 1 : 0} -eq 1 ] || [ "\${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then set -- "$@" --steal-lock; fi`,
    "",
    ...RUN,
    "",
  ].join("\n");
}

/** The first signal is remembered and passed on once, as soon as there is a run; `wait` ends by it, and is called again. */
const SIGNALS = [
  "run=",
  "asked=",
  "passed=",
  "interrupted=",
  "pass() {",
  '  if [ -z "$run" ] || [ -z "$asked" ] || [ -n "$passed" ]; then return; fi',
  "  passed=1",
  '  kill "-$asked" "$run" 2>/dev/null',
  "}",
  'forward() { if [ -z "$asked" ]; then asked=$1; fi; interrupted=1; pass; }',
  "trap 'forward USR1' USR1",
  "trap 'forward TERM' TERM",
  "",
];

const RUN = [
  'if [ -n "$asked" ]; then code=75; else',
  '  "$@" &',
  "  run=$!",
  "  pass",
  "  code=0",
  '  wait "$run" || code=$?',
  '  while [ -n "$interrupted" ]; do',
  "    interrupted=",
  "    code=0",
  '    wait "$run" || code=$?',
  "  done",
  "fi",
  'task="$SLURM_ARRAY_JOB_ID"_"$SLURM_ARRAY_TASK_ID"',
  "# A task that somebody has cancelled is COMPLETING by now, and stays cancelled.",
  'if [ -n "$asked" ] && [ "$code" -ne 0 ] && [ "$(squeue --noheader --jobs="$task" --format=%T)" = RUNNING ]; then',
  '  echo "asked to stop by $asked: back into the queue"',
  '  scontrol requeue "$task" && sleep 60 # which ends this script',
  "fi",
  'exit "$code"',
];

/** The options that the settings stand for, as sbatch reads them in a script. */
function sbatchOptions({ partition, account, qos, time, mem, gpus, cpus, grace, sbatch }: SlurmSettings): string[] {
  const given = { partition, account, qos, time, mem, gpus: gpus === 0 ? undefined : gpus };
  const words = Object.entries(given).filter(([, value]) => value !== undefined);
  return [
    ...words.map(([name, value]) => `--${name}=${shellWord(String(value))}`),
    "--ntasks=1",
    `--cpus-per-task=${cpus}`,
    "--requeue",
    "--open-mode=append",
    `--signal=B:USR1@${grace}`,
    ...sbatch,
  ];
}
