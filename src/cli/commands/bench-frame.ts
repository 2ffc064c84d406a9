import type { Command } from "commander";
import { type Header, headerLines } from "../../bench/adapter.ts";
import type { Gauge } from "../../bench/ceiling.ts";
import { DeviceError } from "../../errors.ts";
import type { Device } from "../../kernels/device/device.ts";
import { adapterOption } from "../options.ts";
import { note } from "../print.ts";

/** What stands round every bench: its flags, its header, the ceiling that its figures are compared with. */

export interface CommonFlags {
  readonly adapter?: string;
  readonly json?: true;
}

/** A subcommand of `svanet bench` with the flags that all have. */
export function named(bench: Command, name: string, summary: string): Command {
  return bench
    .command(name)
    .description(summary)
    .addOption(adapterOption())
    .option("--json", "print the figures as JSON");
}

/** The command as it was typed, for headers. */
export function typedCommand(): string {
  return `svanet ${process.argv.slice(2).join(" ")}`;
}

/** Opens the adapter, says what it is, and closes it whatever happens. */
export async function onDevice(
  flags: CommonFlags,
  body: (device: Device, header: Header) => Promise<void>,
): Promise<void> {
  const { openDevice } = await import("../../platform/node/open-device.ts");
  const { headerOf } = await import("../../bench/adapter.ts");
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const header = headerOf(device.report, typedCommand());
    note(headerLines(header));
    await body(device, header);
  } finally {
    device.close();
  }
}

/** Says on what machine a bench runs that asks nothing of this process's adapter, and which adapter it has, if any. */
export async function headerWithoutWork(adapter?: string): Promise<Header> {
  const { openDevice } = await import("../../platform/node/open-device.ts");
  const { headerOf } = await import("../../bench/adapter.ts");
  const device = await openDevice({ adapter }).catch((error: unknown) => {
    if (adapter === undefined && error instanceof DeviceError) return null;
    throw error;
  });
  const header = headerOf(device?.report ?? null, typedCommand());
  device?.close();
  note(headerLines(header));
  return header;
}

/** Measures the ceiling, says it, and keeps its fastest product at hand to be timed beside what follows. */
export async function withGauge(device: Device, body: (gauge: Gauge) => Promise<void>): Promise<void> {
  const { measureCeiling, openGauge, QUICK_ROUNDS } = await import("../../bench/ceiling.ts");
  const ceiling = await measureCeiling(device, QUICK_ROUNDS, "own");
  const { best, scalar, ratio } = ceiling;
  note(
    `ceiling: ${best.gflops.toFixed(1)} GFLOP/s, the best of our matrix products (${best.variant}, ${best.size}); ` +
      `${ratio.toFixed(1)} times the scalar register tile (${scalar.gflops.toFixed(1)})`,
  );
  const gauge = await openGauge(device, ceiling);
  try {
    await body(gauge);
  } finally {
    gauge.destroy();
  }
}
