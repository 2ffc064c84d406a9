import { cpus, totalmem } from "node:os";
import type { AdapterReport } from "../kernels/device/adapter.ts";

/** What stands above every table of figures: the machine and the command that measured them. */
export interface Header {
  readonly adapter: string;
  readonly driver: string;
  readonly backend: string;
  readonly machine: string;
  readonly node: string;
  readonly date: string;
  readonly command: string;
}

/** `report` is null where no adapter is found: what is measured needs none. */
export function headerOf(report: Pick<AdapterReport, "name" | "driver" | "backend"> | null, command: string): Header {
  const [cpu] = cpus();
  return {
    adapter: report?.name ?? "no adapter",
    driver: report?.driver ?? "no driver",
    backend: report?.backend ?? "none",
    machine: `${cpu?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    command,
  };
}

export function headerLines({ adapter, driver, backend, machine, node, date, command }: Header): string {
  return [`$ ${command}`, `${adapter} (${driver}, ${backend}); ${machine}; Node ${node}; ${date}`].join("\n");
}
