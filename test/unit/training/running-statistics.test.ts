import { expect, test } from "vitest";
import { ArenaLayout } from "../../../src/kernels/compile/state.ts";
import { updateRunning } from "../../../src/kernels/ops/norm/running.ts";
import { DEFAULT_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { Build } from "../../../src/model/build.ts";
import { batchStatisticsKey } from "../../../src/model/keys.ts";
import { BATCH_NORM, batchNorm } from "../../../src/model/layers/norm.ts";
import { batchStatistics, moveRunningStatistics } from "../../../src/training/running-statistics.ts";

/** A network of norms alone, called in this order, and what moves their running statistics. */
function moving(calls: readonly (readonly [name: string, channels: number])[], target: Target = DEFAULT_TARGET) {
  const build = new Build({ graph: new Graph(), mode: "train" });
  const { graph, parameters } = build;
  for (const [name, c] of calls) batchNorm(build, name, graph.input(`x${c}`, [2, 3, 3, c]), BATCH_NORM);
  const { placed, tables } = moveRunningStatistics(build, parameters, target, graph.state("control", [4], "u32"));
  const moves = graph.steps.filter(({ op }) => op.name === updateRunning.name).map(({ inputs }) => inputs);
  const running = new ArenaLayout(parameters.storage("statistic"), target);
  const batch = new ArenaLayout(batchStatistics(parameters), target);
  const offset = (id = -1) => (graph.stretches.find(({ value }) => value.id === id)?.segment.offset ?? 0) / 4;
  const rows = [...tables.values()].flatMap((words, i) =>
    Array.from({ length: words.length / 8 }, (_, row) => {
      const [channels = 0, mean = 0, variance = 0, from = 0] = words.subarray(8 * row);
      const begin = offset(moves[i]?.["running"]?.id);
      return {
        channels,
        mean: mean + begin,
        variance: variance + begin,
        batch: from + offset(moves[i]?.["batch"]?.id),
      };
    }),
  );
  const at = (layout: ArenaLayout, key: string) => (layout.slices.get(key)?.offset ?? -4) / 4;
  const wanted = (name: string, channels: number) => ({
    channels,
    mean: at(running, `stat:${name}.running_mean`),
    variance: at(running, `stat:${name}.running_var`),
    batch: at(batch, batchStatisticsKey(name)),
  });
  return { build, moves, placed, rows, wanted };
}

const CALLS = [
  ["a", 5],
  ["b", 300],
  ["c", 64],
] as const;

test("the norms of a network move in one dispatch, each by its own place", () => {
  const { build, moves, placed, rows, wanted } = moving(CALLS);
  expect(moves).toHaveLength(1);
  expect(rows).toEqual(CALLS.map(([name, channels]) => wanted(name, channels)));
  const stored = build.statistics.map(({ name, batch }) => [batch.id, batchStatisticsKey(name)] as const);
  expect(placed).toEqual(new Map(stored));
});

test("in as many as the arenas need bindings", () => {
  const { moves, rows, wanted } = moving(CALLS, { ...DEFAULT_TARGET, bindingLimit: 3840 });
  expect(moves.map(({ norms }) => norms?.shape[0])).toEqual([1, 1, 1]);
  expect(rows).toEqual(CALLS.map(([name, channels]) => wanted(name, channels)));
  const wide = moving(CALLS, { ...DEFAULT_TARGET, bindingLimit: 4096 });
  expect(wide.moves.map(({ norms }) => norms?.shape[0])).toEqual([2, 1]);
});

test("a norm that is called twice moves twice, by the statistics of each call", () => {
  const { build, moves, placed, rows, wanted } = moving([...CALLS, ["b", 300]]);
  const [, first, , second] = build.statistics;
  expect(moves).toHaveLength(2);
  expect(rows.slice(3)).toEqual([{ ...wanted("b", 300), batch: 0 }]);
  expect(moves[1]?.["batch"]?.id).toBe(second?.batch.id);
  expect([first, second].map((one) => placed.has(one?.batch.id ?? -1))).toEqual([true, false]);
});
