import { type Column, formatTable } from "../../src/cli/print.ts";
import type { Compiled } from "./null-device.ts";
import type { Costly, Kind, Report } from "./report.ts";

/** How `bench:isa` shows what it found. */

const right = <Row>(title: string, cell: (row: Row) => string): Column<Row> => ({ title, align: "right", cell });
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const KINDS: readonly Column<Kind>[] = [
  { title: "kind", cell: ({ label }) => label },
  right("dispatches", ({ dispatches }) => String(dispatches)),
  right("ms", ({ milliseconds }) => milliseconds.toFixed(3)),
  right("share", ({ share }) => percent(share)),
  right("GMAC", ({ gmacs }) => gmacs.toFixed(2)),
];

const COSTLIEST: readonly Column<Costly>[] = [
  { title: "dispatch", cell: ({ label, path }) => `${label} ${path}` },
  right("n", ({ dispatches }) => String(dispatches)),
  right("ms each", ({ each }) => each.toFixed(3)),
  right("ms", ({ milliseconds }) => milliseconds.toFixed(3)),
  right("workgroups", ({ workgroups }) => String(workgroups)),
  right("turns", ({ turns }) => String(Math.round(turns))),
  right("conflicts", ({ conflicts }) => conflicts.toFixed(2)),
  right("of peak", ({ shareOfPeak }) => percent(shareOfPeak)),
  { title: "limit", cell: ({ limit }) => limit },
];

/** A network's report as text. */
export function reportText(report: Report): string {
  const { model, train, size, batch, cardName, milliseconds, fps, dispatches, kernels, spills, scratch } = report;
  const { gmacs, shareOfPeak, gigabytes, overheadMs, guessed, unreadPlaces, compiler } = report;
  return [
    `${model}, ${train ? "training step" : "inference"} at ${size}x${size}, batch ${batch}, on ${cardName}:`,
    `${milliseconds.toFixed(1)} ms predicted (a model, not a measurement), ${fps.toFixed(1)} images a second; ` +
      `${gmacs.toFixed(1)} GMAC at ${percent(shareOfPeak)} of peak, ${gigabytes.toFixed(1)} GB, overhead ${overheadMs.toFixed(1)} ms`,
    `${dispatches} dispatches of ${kernels} kernels by ${compiler}: ${spills} registers spilled, ${scratch} bytes of scratch`,
    ...(guessed.length > 0 ? [`turns decided by data and guessed by bytes: ${guessed.join(", ")}`] : []),
    ...(unreadPlaces.length > 0 ? [`bank conflicts decided by data and not counted: ${unreadPlaces.join(", ")}`] : []),
    "",
    formatTable(KINDS, report.kinds.slice(0, Math.max(1, report.costliest.length))),
    "",
    formatTable(COSTLIEST, report.costliest),
  ].join("\n");
}

const loopOf = ({ loop, whole }: Compiled) => loop ?? whole;

const MACHINE: readonly Column<Compiled>[] = [
  { title: "kernel", cell: ({ label }) => label },
  right("wave", ({ wave }) => String(wave)),
  right("VGPRs", ({ registers }) => String(registers)),
  right("spills", ({ spills }) => String(spills)),
  right("scratch", ({ scratch }) => String(scratch)),
  right("LDS", ({ lds }) => String(lds)),
  right("waves", ({ residentWaves }) => String(residentWaves)),
  right("FMA a lane", (one) => String(loopOf(one).fma / one.wave)),
  right("vector", (one) => String(loopOf(one).vector)),
  right("LDS in", (one) => String(loopOf(one).ldsLoads)),
  right("LDS out", (one) => String(loopOf(one).ldsStores)),
  right("loads", (one) => String(loopOf(one).loads)),
  right("barriers", (one) => String(loopOf(one).barriers)),
  right("cover", ({ cover }) => (cover === null ? "" : String(cover))),
  right("tail waits", ({ tailWaits }) => String(tailWaits)),
];

/** Every kernel as compiled: one turn of its hot loop, or all of it where nothing loops. */
export function machineText(kernels: readonly Compiled[]): string {
  return formatTable(MACHINE, kernels);
}
