import type { Command } from "commander";
import type { Header } from "../../bench/adapter.ts";
import type { Gauge } from "../../bench/ceiling.ts";
import type { OpenPlain } from "../../bench/reference.ts";
import { DeviceError, DeviceLostError, OutOfMemoryError, SvanetError } from "../../errors.ts";
import type { Device } from "../../kernels/device/device.ts";
import { CHEAP, CHECKPOINTS } from "../../kernels/passes/recompute.ts";
import type { ZooEntry } from "../../model/zoo.ts";
import { requireFit, type Work } from "../../training/fit.ts";
import type { Precision } from "../../training/passes.ts";
import { numberFrom, wholeNumber } from "../arguments.ts";
import { addNetworkOptions, everyName, type NetworkFlags, namesFrom, sized } from "../networks.ts";
import { precisionOption } from "../options.ts";
import { type Column, note, printJson, printTable } from "../print.ts";
import { type CommonFlags, named, onDevice, withGauge } from "./bench-frame.ts";
import { FPS_COLUMNS, TRAIN_COLUMNS } from "./bench-tables.ts";

interface TableFlags extends CommonFlags, NetworkFlags {
  readonly batch: number;
  readonly all?: true;
  readonly budget: number;
}

/** A network that has no figures, and why. */
export interface RefusedRow {
  readonly preset: string;
  readonly refusal: string;
}

const BUDGET_SECONDS = 60;

function table(bench: Command, name: string, summary: string): Command {
  return addNetworkOptions(named(bench, name, summary), { otherwise: "the eight of the paper's Table VII" })
    .option("--all", "every network of the zoo")
    .option("--budget <seconds>", "time for each network", numberFrom(0, "seconds"), BUDGET_SECONDS);
}

/** `svanet bench fps`: the paper's Table VII, measured here. */
export function addFps(bench: Command): void {
  table(bench, "fps", "inference as in the paper's Table VII: parameters, MACs, images a second beside the paper's")
    .option("--batch-size, --batch <n>", "images a run", wholeNumber(1), 1)
    .addOption(precisionOption())
    .option("--runs <n>", "runs to time (default: the paper's 1000, or as many as fit --budget)", wholeNumber(1))
    .action(fps);
}

/** `svanet bench train`: whole training steps of the same networks. */
export function addTrain(bench: Command): void {
  table(bench, "train", "whole training steps on a made-up batch: steps and images a second, peak memory")
    .option("--batch-size, --batch <n>", "images a step", wholeNumber(1), 4)
    .option("--amp", "mixed precision, as svanet train has it")
    .option("--checkpoint-activations", "compute stretches of the network twice instead of holding them")
    .option("--steps <n>", "steps to time (default: as many as fit --budget, 3 to 200)", wholeNumber(1))
    .action(train);
}

async function fps(flags: TableFlags & { readonly runs?: number; readonly precision: Precision }): Promise<void> {
  const { benchFps, PAPER_RUNS } = await import("../../bench/fps.ts");
  const { batch, runs, precision } = flags;
  const work: Work = { kind: "inference", batch, precision };
  await everyNetwork(flags, work, FPS_COLUMNS, async (entry, { device, gauge, ...limits }) => {
    const options = { batch, precision, ...limits, ...(runs === undefined ? {} : { runs }) };
    const row = await benchFps(device, entry, options, gauge);
    if (runs === undefined && row.runs < PAPER_RUNS)
      note(
        `${entry.name}: the mean of ${row.runs} runs, which fill --budget ${flags.budget}; the paper's is of ${PAPER_RUNS}`,
      );
    return row;
  });
}

interface TrainFlags extends TableFlags {
  readonly steps?: number;
  readonly amp?: true;
  readonly checkpointActivations?: true;
}

async function train(flags: TrainFlags): Promise<void> {
  const { benchTrain } = await import("../../bench/training.ts");
  const { batch, steps } = flags;
  const repeat = flags.checkpointActivations ? CHECKPOINTS : CHEAP;
  const precision = flags.amp ? "f16" : "f32";
  const work: Work = { kind: "training", batch, repeat, precision };
  await everyNetwork(flags, work, TRAIN_COLUMNS, (entry, { device, gauge, ...limits }) =>
    benchTrain(
      device,
      entry,
      { batch, repeat, precision, ...limits, ...(steps === undefined ? {} : { steps }) },
      gauge,
    ),
  );
}

interface Bench {
  readonly device: Device;
  readonly gauge: Gauge;
  readonly openPlain: OpenPlain;
  readonly budget: number;
}

/** Runs `body`; where it is one of several, a network's own error is its row. */
export async function rowOf<Row extends object>(
  preset: string,
  isOnly: boolean,
  body: () => Row | Promise<Row>,
): Promise<Row | RefusedRow> {
  try {
    return await body();
  } catch (error) {
    if (isOnly || !(error instanceof SvanetError) || error instanceof DeviceLostError) throw error;
    note(`${preset}: ${error.message}`);
    if (isWrong(error)) process.exitCode = 1;
    return { preset, refusal: error.message };
  }
}

/** Whether a network was refused because its results were wrong, and not because it does not fit. */
const isWrong = (error: SvanetError): boolean => error instanceof DeviceError && !(error instanceof OutOfMemoryError);

/**
 * A row for each network. One that does not fit, or that computes something else than it should, is a row that says so;
 * where it is the only one asked for, that is the command's error.
 */
async function everyNetwork<Row extends { readonly medianMs: number }>(
  flags: TableFlags,
  work: Work,
  columns: readonly Column<Row>[],
  measure: (entry: ZooEntry, bench: Bench) => Promise<Row>,
): Promise<void> {
  const { TABLE_VII } = await import("../../experiment/study/paper.ts");
  const { PLAIN } = await import("../../bench/reference.ts");
  const { openDevice } = await import("../../platform/node/open-device.ts");
  const names = namesFrom(flags, flags.all ? everyName() : TABLE_VII);
  const openPlain = () => openDevice({ adapter: flags.adapter, target: PLAIN });
  await onDevice(flags, async (device, header) => {
    const asked = (name: string) => {
      const entry = sized(name, flags);
      requireFit(entry.config, work, device.room);
      return entry;
    };
    const entries: (ZooEntry | RefusedRow)[] = [];
    for (const name of names) entries.push(await rowOf(name, names.length === 1, () => asked(name)));
    await withGauge(device, async (gauge) => {
      const rows: (Row | RefusedRow)[] = [];
      for (const entry of entries) {
        if (isRefused(entry)) {
          rows.push(entry);
          continue;
        }
        const { name } = entry;
        note(`${name} ...`);
        const bench = { device, gauge, openPlain, budget: 1000 * flags.budget };
        const row = await rowOf(name, names.length === 1, () => measure(entry, bench));
        if (!isRefused(row)) note(`${name}: ${row.medianMs.toPrecision(3)} ms`);
        rows.push(row);
      }
      print(flags, header, columns, rows);
    });
  });
}

const isRefused = <Row extends object>(row: Row | RefusedRow): row is RefusedRow => "refusal" in row;

function print<Row extends object>(
  flags: CommonFlags,
  header: Header,
  columns: readonly Column<Row>[],
  rows: readonly (Row | RefusedRow)[],
): void {
  if (flags.json) printJson(rows.map((row) => ({ refusal: null, ...row, header })));
  else printTable(withRefusals(columns, rows.some(isRefused)), rows);
}

/** Columns in which a refused row shows its name, and its reason in the last one. */
function withRefusals<Row extends object>(
  columns: readonly Column<Row>[],
  any: boolean,
): readonly Column<Row | RefusedRow>[] {
  const own = columns.map(({ cell, ...column }): Column<Row | RefusedRow> => {
    const refused = (row: RefusedRow) => (column.title === "preset" ? row.preset : "");
    return { ...column, cell: (row) => (isRefused(row) ? refused(row) : cell(row)) };
  });
  const reason: Column<Row | RefusedRow> = {
    title: "no figures because",
    cell: (row) => (isRefused(row) ? row.refusal : ""),
  };
  return any ? [...own, reason] : own;
}
