import type { Command } from "commander";
import type { HostRow } from "../../bench/host.ts";
import type { Spread } from "../../bench/measure.ts";
import { wholeNumber } from "../arguments.ts";
import { addNetworkOptions, type NetworkFlags, networksFrom } from "../networks.ts";
import { type Column, printJson, printTable } from "../print.ts";
import { type CommonFlags, named, onDevice } from "./bench-frame.ts";

interface HostFlags extends CommonFlags, NetworkFlags {
  readonly batch?: number;
  readonly runs: number;
  readonly train?: true;
}

/** The network that is measured where none is named, on images so small that its work hardly counts. */
const MEASURED = "svanet";
const SIDE = 64;

/** `svanet bench host`: what the calls of a run take the host. */
export function addHost(bench: Command): void {
  const command = named(bench, "host", "microseconds a dispatch that a run takes the host, the GPU's work left out");
  addNetworkOptions(command, { otherwise: MEASURED, size: SIDE })
    .option("--batch-size, --batch <n>", "images a run (default: 1, of a training step 4)", wholeNumber(1))
    .option("--runs <n>", "runs whose median counts", wholeNumber(1), 50)
    .option("--train", "a training step instead of inference")
    .action(host);
}

async function host(flags: HostFlags): Promise<void> {
  const { benchHost } = await import("../../bench/host.ts");
  const { runs, train = false } = flags;
  const { batch = train ? 4 : 1 } = flags;
  await onDevice(flags, async (device, header) => {
    const rows: HostRow[] = [];
    for (const entry of networksFrom(flags, [MEASURED])) {
      rows.push(await benchHost(device, entry, { batch, train, runs }));
    }
    if (flags.json) printJson(rows.map((row) => ({ ...row, header })));
    else printTable(COLUMNS, rows);
  });
}

const text = ({ median, p05, p95 }: Spread) => `${median.toFixed(2)} (${p05.toFixed(2)}-${p95.toFixed(2)})`;
const right = (title: string, cell: (row: HostRow) => string): Column<HostRow> => ({ title, align: "right", cell });

const COLUMNS: readonly Column<HostRow>[] = [
  { title: "preset", cell: ({ preset }) => preset },
  { title: "run", cell: ({ train }) => (train ? "training step" : "inference") },
  right("dispatches", ({ dispatches }) => String(dispatches)),
  right("pipelines", ({ pipelines }) => String(pipelines)),
  right("submits", ({ submits }) => String(submits)),
  right("encode us", ({ encode }) => text(encode)),
  right("submit us", ({ submit }) => text(submit)),
  right("us a dispatch", ({ total }) => text(total)),
];
