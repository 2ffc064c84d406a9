import type { FpsRow } from "../../bench/fps.ts";
import type { OpRow } from "../../bench/ops.ts";
import type { KernelRow } from "../../bench/profile.ts";
import type { TrainRow } from "../../bench/training.ts";
import type { PaperCost } from "../../experiment/study/paper.ts";
import type { Column } from "../print.ts";
import { above, giga, mega, memory, milliseconds, share as percentOf } from "../units.ts";

/** How `svanet bench` prints its figures. */

const speed = (value: number | null): string => (value === null ? "" : value.toFixed(value < 10 ? 2 : 1));
const right = <Row>(title: string, cell: (row: Row) => string): Column<Row> => ({ title, align: "right", cell });

const PAPER: readonly Column<{ readonly paper: PaperCost | null }>[] = [
  right("paper: parameters", ({ paper }) => (paper ? `${paper.parametersM} M` : "")),
  right("MACs", ({ paper }) => (paper ? `${paper.macsG} G` : "")),
  right("FPS", ({ paper }) => (paper ? String(paper.fps) : "")),
];

const gpu = (ms: number | null): string => (ms === null ? "-" : milliseconds(ms));

/** Table VII: what we count and measure, then the paper's three columns, then what there is beside. */
export const FPS_COLUMNS: readonly Column<FpsRow>[] = [
  { title: "network", cell: ({ name }) => name },
  { title: "preset", cell: ({ preset }) => preset },
  right("parameters", ({ parameters }) => mega(parameters)),
  right("profiled", ({ profiledMacs }) => giga(profiledMacs)),
  right("MACs", ({ macs }) => giga(macs)),
  right("FPS", ({ fps }) => speed(fps)),
  ...PAPER,
  right("runs", ({ runs }) => String(runs)),
  right("mean ms", ({ meanMs }) => milliseconds(meanMs)),
  right("median", ({ medianMs }) => milliseconds(medianMs)),
  right("p95", ({ p95Ms }) => milliseconds(p95Ms)),
  right("GPU ms", ({ gpuMs }) => gpu(gpuMs)),
  right("GFLOP/s", ({ gflops }) => speed(gflops)),
  right("of ceiling", ({ share }) => percentOf(share)),
  right("peak memory", ({ peakBytes }) => memory(peakBytes)),
];

export const TRAIN_COLUMNS: readonly Column<TrainRow>[] = [
  { title: "network", cell: ({ name }) => name },
  { title: "preset", cell: ({ preset }) => preset },
  right("batch", ({ batch }) => String(batch)),
  right("steps", ({ steps }) => String(steps)),
  right("steps/s", ({ stepsPerSecond }) => speed(stepsPerSecond)),
  right("images/s", ({ imagesPerSecond }) => speed(imagesPerSecond)),
  right("median ms", ({ medianMs }) => milliseconds(medianMs)),
  right("p95 ms", ({ p95Ms }) => milliseconds(p95Ms)),
  right("GPU ms", ({ gpuMs }) => gpu(gpuMs)),
  right("MACs a step", ({ executedMacs }) => giga(executedMacs)),
  right("GFLOP/s", ({ gflops }) => speed(gflops)),
  right("of ceiling", ({ share }) => percentOf(share)),
  right("dispatches", ({ dispatches }) => String(dispatches)),
  right("peak memory", ({ peakBytes, leastBytes }) => `${memory(peakBytes)} ${above(peakBytes, leastBytes)}`),
];

export const OP_COLUMNS: readonly Column<OpRow>[] = [
  { title: "op", cell: ({ op }) => op },
  { title: "sizes", cell: ({ detail }) => detail },
  { title: "pass", cell: ({ pass }) => pass },
  right("median ms", ({ time }) => (time ? milliseconds(time.median) : "refused")),
  right("p05-p95", ({ time }) => (time ? `${milliseconds(time.p05)}-${milliseconds(time.p95)}` : "")),
  right("GFLOP/s", ({ gflops }) => speed(gflops)),
  right("GB/s", ({ gigabytesPerSecond }) => speed(gigabytesPerSecond)),
  right("of ceiling", ({ share }) => percentOf(share)),
  {
    title: "which",
    cell: ({ bound, ceilingGflops, copyGigabytesPerSecond }) => whichText(bound, ceilingGflops, copyGigabytesPerSecond),
  },
];

function whichText(bound: OpRow["bound"], gflops: number, copy: number): string {
  if (bound === null) return "";
  return bound === "arithmetic" ? `${speed(gflops)} GFLOP/s` : `copy ${speed(copy)} GB/s`;
}

export const KERNEL_COLUMNS: readonly Column<KernelRow>[] = [
  { title: "kernel", cell: ({ label }) => label },
  right("dispatches", ({ dispatches }) => String(dispatches)),
  right("ms", ({ milliseconds: ms }) => milliseconds(ms)),
  right("share", ({ share }) => percentOf(share)),
  right("GFLOP/s", ({ gflops }) => speed(gflops)),
  { title: "slowest", cell: ({ worst }) => `${milliseconds(worst.milliseconds)} ms in ${worst.path}` },
];
