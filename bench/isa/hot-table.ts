import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Family } from "./chips.ts";
import type { Compiled } from "./null-device.ts";
import type { Prediction } from "./roofline.ts";

/**
 * The kernels that take most of the time, as a compiler made them: the worst of each kind. The committed table is compared with
 * what the compiler makes today, so that nothing gets worse unnoticed; a person updates it by `npm run bench:isa -- --update-table`.
 */
export interface HotRow {
  readonly kernel: string;
  readonly registers: number;
  /** Share of vector cycles in which multiply-accumulates issue, if nothing issues in pairs. */
  readonly issue: number;
  /** Bytes of workgroup memory for one multiply-accumulate. */
  readonly ldsPerFma: number;
  /** Clocks of workgroup memory over those without bank conflicts. */
  readonly conflicts: number;
  /** Vector cycles between a turn's last load and the wait for it; null where the loop loads nothing. */
  readonly cover: number | null;
  readonly tailWaits: number;
}

export interface HotTable {
  /** The compiler that made the figures. */
  readonly compiler: string;
  readonly families: Readonly<Partial<Record<Family, readonly HotRow[]>>>;
}

/** Share of some workload's predicted time from which a kind of kernel is hot. */
const HOT = 0.02;

/** The hot kinds of kernels among all workloads that use workgroup memory in a loop: the others are bound by memory. */
export function hotRows(workloads: readonly (readonly Prediction[])[], compiled: readonly Compiled[]): HotRow[] {
  const hot = new Set(workloads.flatMap(hotLabels));
  const conflicts = new Map<string, number>();
  for (const { label, conflicts: own } of workloads.flat()) {
    conflicts.set(label, Math.max(own.factor, conflicts.get(label) ?? 1));
  }
  const rows = [...hot].sort().map((label): HotRow | null => {
    const own = compiled.filter((kernel) => kernel.label === label && (kernel.loop?.ldsBytes ?? 0) > 0);
    return own.length === 0 ? null : worstOf(label, own, conflicts.get(label) ?? 1);
  });
  return rows.filter((row) => row !== null);
}

function hotLabels(predictions: readonly Prediction[]): string[] {
  const seconds = new Map<string, number>();
  for (const { label, use, seconds: each } of predictions) {
    seconds.set(label, (seconds.get(label) ?? 0) + use.count * each);
  }
  const total = [...seconds.values()].reduce((sum, own) => sum + own, 0);
  return [...seconds].filter(([, own]) => own >= HOT * total).map(([label]) => label);
}

function worstOf(kernel: string, own: readonly Compiled[], conflicts: number): HotRow {
  const loops = own.flatMap(({ loop }) => (loop === null ? [] : [loop]));
  const covers = own.flatMap(({ cover }) => (cover === null ? [] : [cover]));
  return {
    kernel,
    registers: Math.max(...own.map(({ registers }) => registers)),
    issue: rounded(Math.min(...loops.map(({ fmaCycles, cycles }) => fmaCycles / cycles))),
    ldsPerFma: rounded(Math.max(...loops.map(({ ldsBytes, fma }) => ldsBytes / fma))),
    conflicts: rounded(conflicts),
    cover: covers.length === 0 ? null : Math.min(...covers),
    tailWaits: Math.max(...own.map(({ tailWaits }) => tailWaits)),
  };
}

const rounded = (value: number): number => Math.round(1000 * value) / 1000;

/** How much worse a figure may be before it counts: by the same compiler a step of its heuristics. */
const TOLERANCE = { registers: 4, issue: 0.02, ldsPerFma: 0.05, conflicts: 0.02, cover: 20, tailWaits: 1 } as const;
/** Another version of the compiler schedules otherwise. */
const OTHER_COMPILER = 4;

const UPDATE = "if that is meant, `npm run bench:isa -- --update-table` writes the table anew";

/** What got worse since the table was written, one sentence each; empty when nothing did. */
export function worsened(
  table: HotTable,
  now: { readonly family: Family; readonly compiler: string; readonly hot: readonly HotRow[] },
): string[] {
  const before = new Map((table.families[now.family] ?? []).map((row) => [row.kernel, row]));
  const slack = table.compiler === now.compiler ? 1 : OTHER_COMPILER;
  const gone = [...before.keys()].filter((kernel) => !now.hot.some((row) => row.kernel === kernel));
  return [
    ...gone.map((kernel) => `${now.family}: ${kernel} is in the table and no longer hot; ${UPDATE}`),
    ...now.hot.flatMap((row) => {
      const old = before.get(row.kernel);
      if (old === undefined) return [`${now.family}: ${row.kernel} is hot and not in the table; ${UPDATE}`];
      return worseFigures(old, row, slack).map((figure) => `${now.family}: ${row.kernel}: ${figure}; ${UPDATE}`);
    }),
  ];
}

/** Figures of which more is better. */
const GOOD = new Set<string>(["issue", "cover"]);

function worseFigures(old: HotRow, row: HotRow, slack: number): string[] {
  return Object.entries(TOLERANCE).flatMap(([key, tolerance]) => {
    const name = key as keyof typeof TOLERANCE;
    const [was, is] = [old[name] ?? 0, row[name] ?? 0];
    const worse = GOOD.has(name) ? was - is : is - was;
    return worse > slack * tolerance + 1e-9 ? [`${name} was ${was} and is ${is}`] : [];
  });
}

const FILE = fileURLToPath(new URL("hot-kernels.json", import.meta.url));

export function readHotTable(): HotTable {
  return JSON.parse(readFileSync(FILE, "utf8")) as HotTable;
}

export function writeHotTable(table: HotTable): void {
  writeFileSync(FILE, `${JSON.stringify(table, null, 2)}\n`);
}
