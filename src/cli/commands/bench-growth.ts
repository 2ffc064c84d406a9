import type { Command } from "commander";
import type { Header } from "../../bench/adapter.ts";
import type { Gauge } from "../../bench/ceiling.ts";
import type { Growth, GrowthRow, GrowthRun, MeasuredRow, MeasuredRun } from "../../bench/growth.ts";
import { UsageError } from "../../errors.ts";
import { replaceFile } from "../../files/atomic.ts";
import { requireWritableFile } from "../../files/folder.ts";
import type { Device } from "../../kernels/device/device.ts";
import { requireFit } from "../../training/fit.ts";
import { countsArgument, numberFrom, textArgument, wholeNumber } from "../arguments.ts";
import { addNetworkOptions, type NetworkFlags, namesFrom, sized } from "../networks.ts";
import { type Column, note, printJson, printLine, printTable } from "../print.ts";
import { giga, memory, milliseconds } from "../units.ts";
import { type CommonFlags, named, onDevice, withGauge } from "./bench-frame.ts";
import { rowOf } from "./bench-networks.ts";

interface GrowthFlags extends CommonFlags, NetworkFlags {
  readonly sizes: readonly number[];
  readonly batches: readonly number[];
  readonly widths: readonly number[];
  readonly batch: number;
  readonly budget: number;
  readonly svg?: string;
}

/** The network that is measured where none is named. */
const MEASURED = "svanet";
const BUDGET_SECONDS = 20;

/** `svanet bench growth`: images a second and memory against size, batch and width. */
export function addGrowth(bench: Command): void {
  const summary = "images a second and memory against size, batch and width, beside what is proportional to MACs";
  addNetworkOptions(named(bench, "growth", summary), { otherwise: MEASURED })
    .option("--batch-size, --batch <n>", "images a run while another number grows", wholeNumber(1), 1)
    .option("--sizes <list>", "sides of the image", countsArgument, [128, 256, 512, 768, 1024])
    .option("--batches <list>", "images a run", countsArgument, [1, 2, 4, 8, 16])
    .option("--widths <list>", "channels where the network is narrowest", countsArgument, [8, 16, 32])
    .option("--budget <seconds>", "time for each point", numberFrom(0, "seconds"), BUDGET_SECONDS)
    .option("--svg <file>", "write the chart to a file", textArgument)
    .action(growth);
}

async function growth(flags: GrowthFlags): Promise<void> {
  const { runsOf, growthOf } = await import("../../bench/growth.ts");
  const { size, batch, width = null, sizes, batches, widths, svg } = flags;
  const [name = MEASURED, ...more] = namesFrom(flags, [MEASURED]);
  if (more.length > 0) throw new UsageError(`--model: bench growth takes one network, not ${more.length + 1}`);
  if (svg !== undefined) requireWritableFile(svg);
  const runs = runsOf({ start: { size, batch, width }, sizes, batches, widths });
  await onDevice(flags, (device, header) =>
    withGauge(device, async (gauge) => {
      const measured: MeasuredRun[] = [];
      for (const run of runs) {
        note(`${name} ${run.size}x${run.size}, batch ${run.batch}, width ${run.width ?? "its own"} ...`);
        measured.push({ ...run, ...(await rowOf(name, false, () => figures(flags, name, run, { device, gauge }))) });
      }
      await tell(flags, header, growthOf(name, measured));
    }),
  );
}

async function figures(
  { encoder, classes, adapter, budget }: GrowthFlags,
  name: string,
  { size, batch, width }: GrowthRun,
  { device, gauge }: { readonly device: Device; readonly gauge: Gauge },
) {
  const { benchFps } = await import("../../bench/fps.ts");
  const { PLAIN } = await import("../../bench/reference.ts");
  const { openDevice } = await import("../../platform/node/open-device.ts");
  const entry = sized(name, { size, classes, ...(encoder ? { encoder } : {}), ...(width === null ? {} : { width }) });
  requireFit(entry.config, { kind: "inference", batch }, device.room);
  const openPlain = () => openDevice({ adapter, target: PLAIN });
  const options = { batch, precision: "f32", budget: 1000 * budget, openPlain } as const;
  return { ...(await benchFps(device, entry, options, gauge)), refusal: null };
}

async function tell({ svg, json }: GrowthFlags, header: Header, growth: Growth): Promise<void> {
  if (svg !== undefined) {
    const { growthChart } = await import("../../bench/growth-chart.ts");
    const { adapter, machine, date } = header;
    await replaceFile(svg, growthChart(growth, `${adapter}; ${machine}; ${date}`));
  }
  if (json) {
    printJson({ ...growth, header });
    return;
  }
  const { fit, largestDeviation, rows } = growth;
  printTable(COLUMNS, rows);
  if (fit === null || largestDeviation === null) return;
  printLine(
    `fit: ${(1000 * fit.msPerDispatch).toFixed(1)} us a dispatch and ${(2 / fit.msPerMac / 1e6).toFixed(1)} GFLOP/s above that; ` +
      `the largest deviation is ${(100 * largestDeviation).toFixed(0)} %`,
  );
}

const figure = (of: (row: MeasuredRow) => string) => (row: GrowthRow) => (row.refusal === null ? of(row) : "");
const right = (title: string, cell: (row: GrowthRow) => string): Column<GrowthRow> => ({ title, align: "right", cell });

const COLUMNS: readonly Column<GrowthRow>[] = [
  right("size", ({ size }) => String(size)),
  right("batch", ({ batch }) => String(batch)),
  right("width", ({ width }) => (width === null ? "own" : String(width))),
  right(
    "MACs a run",
    figure(({ executedMacs, batch }) => giga(executedMacs * batch)),
  ),
  right(
    "dispatches",
    figure(({ dispatches }) => String(dispatches)),
  ),
  right(
    "median ms",
    figure(({ medianMs }) => milliseconds(medianMs)),
  ),
  right(
    "floor",
    figure(({ floorMs }) => milliseconds(floorMs)),
  ),
  right(
    "expected",
    figure(({ expectedMs }) => milliseconds(expectedMs)),
  ),
  right(
    "deviation",
    figure(({ deviation }) => `${(100 * deviation).toFixed(0)} %`),
  ),
  right(
    "FPS",
    figure(({ fps }) => fps.toPrecision(3)),
  ),
  right(
    "peak memory",
    figure(({ peakBytes }) => memory(peakBytes)),
  ),
  { title: "because", cell: (row) => (row.refusal === null ? (row.explanation ?? "") : row.refusal) },
];
