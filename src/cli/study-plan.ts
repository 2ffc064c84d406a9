import { CheckpointError, DeviceError } from "../errors.ts";
import type { TrainConfig } from "../experiment/settings/config.ts";
import { precisionOf } from "../experiment/settings/recipe.ts";
import {
  type EstimatedRun,
  estimateOf,
  needsOf,
  type RunNeeds,
  type StudyEstimate,
} from "../experiment/study/estimate.ts";
import { type Cell, partOf, type Study, type StudyData, type StudyRun } from "../experiment/study/plan.ts";
import { stateOfRun } from "../experiment/study/train-here.ts";
import { trial } from "../experiment/study/trial.ts";
import { type Column, note, printJson, printLine, printTable } from "./print.ts";
import { formatDuration } from "./progress.ts";
import { withDevice } from "./session.ts";
import { mega, memory } from "./units.ts";

/** Rows of a dry run, by the title of their table. */
export interface PlannedTable {
  readonly title: string;
  readonly cells: readonly Cell[];
}

/** Prints what a study would train and take; trains a few steps of one run to tell the time, and writes nothing. */
export async function printPlan(
  study: Study,
  tables: readonly PlannedTable[],
  { config, json }: { readonly config: TrainConfig; readonly json: boolean },
): Promise<void> {
  const needs = needsByNetwork(study.runs);
  const runs: EstimatedRun[] = [];
  for (const run of study.runs) runs.push({ run, needs: needs(run), state: await stateOf(run) });
  const estimate = estimateOf(runs, await timesOf(runs, config));
  if (json) {
    printJson(planDocument(runs, tables, estimate));
    return;
  }
  for (const { title, cells } of tables) {
    printLine(title);
    printTable(planColumns(needs), cells);
    printLine("");
  }
  for (const line of summary(runs, tables, estimate)) printLine(line);
}

/** The needs of a run; those of runs that differ by seed alone are told once. */
function needsByNetwork(runs: readonly StudyRun[]): (run: StudyRun) => RunNeeds {
  const known = new Map<string, RunNeeds>();
  for (const run of runs) {
    const key = sharedName(run);
    if (!known.has(key)) known.set(key, needsOf(run));
  }
  return (run) => known.get(sharedName(run)) ?? needsOf(run);
}

const sharedName = ({ name }: StudyRun): string => name.replace(/-seed\d+$/, "");

/** A damaged run is one to be made. */
async function stateOf(run: StudyRun): Promise<EstimatedRun["state"]> {
  try {
    return await stateOfRun(run);
  } catch (error) {
    if (error instanceof CheckpointError) return "begun";
    throw error;
  }
}

/** The times of a trial with the first run that is not finished; null where all are, or there is no GPU to try on. */
async function timesOf(runs: readonly EstimatedRun[], config: TrainConfig) {
  const first = runs.find(({ state }) => state !== "finished");
  if (first === undefined) return null;
  try {
    return await withDevice(config.adapter, precisionOf(config), (device) =>
      trial(device, first.run, first.needs.macs),
    );
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    note(`no trial: ${error.message}`);
    return null;
  }
}

function planColumns(needs: (run: StudyRun) => RunNeeds): Column<Cell>[] {
  const of = ({ runs: [run] }: Cell) => (run === undefined ? undefined : needs(run));
  return [
    { title: "configuration", cell: ({ arm }) => arm.label },
    { title: "data", cell: ({ data }) => [data.name, partOf(data) ?? ""].join(" ").trimEnd() },
    { title: "parameters", align: "right", cell: (cell) => mega(of(cell)?.parameters ?? 0) },
    { title: "GPU memory", align: "right", cell: (cell) => memory(of(cell)?.gpuBytes ?? 0) },
    { title: "disk a run", align: "right", cell: (cell) => memory(of(cell)?.diskBytes ?? 0) },
    { title: "runs", cell: ({ runs }) => runs.map(({ name }) => name).join(" ") },
  ];
}

/** How many runs there are, how many of them stand in several rows, and what they take. */
function summary(runs: readonly EstimatedRun[], tables: readonly PlannedTable[], estimate: StudyEstimate): string[] {
  const asked = tables.flatMap(({ cells }) => cells).reduce((sum, cell) => sum + cell.runs.length, 0);
  const networks = new Set(runs.map(({ run }) => sharedName(run))).size;
  const count = (state: EstimatedRun["state"]) => runs.filter((one) => one.state === state).length;
  const { hours, gpuBytes, diskBytes } = estimate;
  const time =
    hours === null
      ? "unknown without a trial"
      : `about ${formatDuration(3600 * hours)}, from ${TRIAL_TEXT}; the first compilation of each network comes on top`;
  return [
    `${runs.length} runs of ${networks} configurations: ${count("finished")} finished, ${count("begun")} begun, ${count("missing")} to start; ` +
      `the rows ask for ${asked}, of which ${asked - runs.length} are shared`,
    `time left: ${time}`,
    `memory: at least ${memory(gpuBytes)} on the GPU for the largest; disk: ${memory(diskBytes)} of checkpoints for all`,
  ];
}

const TRIAL_TEXT = "a trial of three steps of the first run, in proportion to multiply-accumulates";

/** The part of the set that a cell is of, where it is one. */
function partEntry(data: StudyData): { readonly part?: string } {
  const part = partOf(data);
  return part === undefined ? {} : { part };
}

function planDocument(runs: readonly EstimatedRun[], tables: readonly PlannedTable[], estimate: StudyEstimate) {
  return {
    runs: runs.map(({ run: { name, config }, needs, state }) => ({ name, state, seed: config.seed, ...needs })),
    tables: tables.map(({ title, cells }) => ({
      title,
      rows: cells.map(({ arm, data, runs: own }) => ({
        key: arm.key,
        name: arm.label,
        dataset: data.name,
        ...partEntry(data),
        runs: own.map(({ name }) => name),
      })),
    })),
    estimate,
  };
}
