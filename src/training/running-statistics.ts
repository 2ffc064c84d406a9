import { ArenaLayout, type StateEntry } from "../kernels/compile/state.ts";
import { runningTable, runningTableShape, updateRunning } from "../kernels/ops/norm/running.ts";
import { partBytes } from "../kernels/shader/shader.ts";
import type { Target } from "../kernels/target.ts";
import type { Segment } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { lastOf } from "../kernels/trace/shape.ts";
import type { Build, RunningStatistics } from "../model/build.ts";
import {
  BATCH_STATISTICS_ARENA,
  batchStatisticsKey,
  parameterKey,
  runningInput,
  STATISTICS_ARENA,
} from "../model/keys.ts";
import type { ParameterTable } from "../model/parameters.ts";

const MEAN = ".running_mean";
const VARIANCE = ".running_var";

/** The statistics of a batch that training keeps, `[3, c]` for each batch norm of a network. */
export function batchStatistics(table: ParameterTable): StateEntry[] {
  return table
    .list("statistic")
    .filter(({ name }) => name.endsWith(MEAN))
    .map(({ name, shape: [channels = 0] }) => ({
      key: batchStatisticsKey(name.slice(0, -MEAN.length)),
      shape: [3, channels],
    }));
}

/** What moves running statistics, beside the steps themselves. */
interface Moved {
  /** Where the batch's statistics are stored, by value id. */
  readonly placed: ReadonlyMap<number, string>;
  /** What the inputs that name the norms are filled with; the same in every step. */
  readonly tables: ReadonlyMap<string, Uint32Array>;
}

/** A norm, with where its statistics begin in their arenas, in numbers. */
interface Located {
  readonly norm: RunningStatistics;
  readonly channels: number;
  readonly mean: number;
  readonly variance: number;
  readonly batch: number;
}

/**
 * Appends what moves the running statistics towards those of the batch: all norms in one dispatch, or in as many as their
 * arenas need bindings. A norm that is called again moves once more for each further call, in the order of the calls.
 */
export function moveRunningStatistics(build: Build, table: ParameterTable, target: Target, control: Value): Moved {
  const { graph } = build;
  const tables = new Map<string, Uint32Array>();
  const move = (norms: readonly Located[], batch: Value, batchBegin: number): void => {
    const [begin, end] = [norms[0]?.mean ?? 0, endOf(norms, runningEnd)];
    const running = graph.stretch(STATISTICS_ARENA, segment(begin, end));
    const rows = norms.map(({ norm: { momentum, count }, channels, mean, variance, batch }) => ({
      ...{ channels, momentum, count },
      ...{ mean: mean - begin, variance: variance - begin, batch: batch - batchBegin },
    }));
    const name = runningInput(tables.size);
    tables.set(name, runningTable(rows));
    const listed = graph.input(name, runningTableShape(norms.length), "u32");
    graph.update(updateRunning, { running, batch, norms: listed, control }, {});
  };
  const all = locate(build.statistics, table, target);
  // Of entries with one key a Map has the last: reversed, that of the first call.
  const first = [...new Map(all.toReversed().map((one) => [one.norm.name, one])).values()];
  for (const norms of reachable(first, partBytes(target) / 4)) {
    const begin = norms[0]?.batch ?? 0;
    const batch = segment(begin, endOf(norms, batchEnd));
    move(norms, graph.stretch(BATCH_STATISTICS_ARENA, batch), begin);
  }
  for (const one of all) if (!first.includes(one)) move([one], one.norm.batch, one.batch);
  const placed = first.map(({ norm: { name, batch } }) => [graph.root(batch.id), batchStatisticsKey(name)] as const);
  return { placed: new Map(placed), tables };
}

function locate(norms: readonly RunningStatistics[], table: ParameterTable, target: Target): Located[] {
  const running = new ArenaLayout(table.storage("statistic"), target);
  const batch = new ArenaLayout(batchStatistics(table), target);
  return norms.map((norm) => ({
    norm,
    channels: lastOf(norm.batch.shape),
    mean: beginOf(running, parameterKey("statistic", norm.name + MEAN)),
    variance: beginOf(running, parameterKey("statistic", norm.name + VARIANCE)),
    batch: beginOf(batch, batchStatisticsKey(norm.name)),
  }));
}

/** Where a tensor of an arena begins, in numbers. Statistics are a few numbers a channel: one buffer holds them. */
function beginOf(layout: ArenaLayout, key: string): number {
  const slice = layout.slices.get(key);
  if (slice?.buffer !== 0) throw new Error(`${key} is not in the first buffer of its arena`);
  return slice.offset / 4;
}

const runningEnd = ({ variance, channels }: Located): number => variance + channels;
const batchEnd = ({ batch, channels }: Located): number => batch + 3 * channels;

/** Norms in the order of their arenas, parted where a binding of so many numbers would not reach the next one. */
function reachable(norms: readonly Located[], limit: number): Located[][] {
  const parts: Located[][] = [];
  for (const one of norms.toSorted((a, b) => a.batch - b.batch)) {
    const part = parts.at(-1);
    const [begin] = part ?? [];
    const reached = begin && runningEnd(one) - begin.mean <= limit && batchEnd(one) - begin.batch <= limit;
    if (reached) part?.push(one);
    else parts.push([one]);
  }
  return parts;
}

/** Of an arena's first buffer; a slice is padded, so that it may end at a multiple of four. */
function segment(begin: number, end: number): Segment {
  return { buffer: 0, offset: begin * 4, floats: Math.ceil((end - begin) / 4) * 4 };
}

function endOf(norms: readonly Located[], end: (norm: Located) => number): number {
  return norms.reduce((most, norm) => Math.max(most, end(norm)), 0);
}
