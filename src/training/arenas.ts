import type { OptimizerOptions, ParameterGroup } from "../autograd/optimizer.ts";
import { ArenaLayout, type StateEntry } from "../kernels/compile/state.ts";
import type { Target } from "../kernels/target.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import {
  arenaOf,
  BATCH_STATISTICS_ARENA,
  CLOCKS_ARENA,
  CONTROL,
  clockKey,
  GROUPS,
  type GroupName,
  keyOf,
  LOSS_SCALE,
  LOSS_TOTAL,
  type Role,
  STATISTICS_ARENA,
} from "../model/keys.ts";
import type { Parameter, ParameterTable } from "../model/parameters.ts";
import type { Precision } from "./passes.ts";
import type { RateFactors } from "./rates.ts";
import { batchStatistics } from "./running-statistics.ts";

/** What one arena stores. */
export interface Arena {
  readonly name: string;
  readonly entries: readonly StateEntry[];
}

export function groupOf({ level }: Pick<Parameter, "level">): GroupName {
  return level === null ? "rest" : "encoder";
}

/** What a role keeps for the weights of a group. */
function entriesOf(table: ParameterTable, group: GroupName, role: Role): StateEntry[] {
  return table
    .list("weight")
    .filter((entry) => groupOf(entry) === group)
    .flatMap(({ parts }) => parts.map(({ key, shape }) => ({ key: keyOf(role, key), shape })));
}

const arenasOf = (table: ParameterTable, role: Role): Arena[] =>
  GROUPS.map((group) => ({ name: arenaOf(role, group), entries: entriesOf(table, group, role) }));

/** Everything a network is: weights and running statistics. */
export function networkArenas(table: ParameterTable): Arena[] {
  return [...arenasOf(table, "weight"), { name: STATISTICS_ARENA, entries: table.storage("statistic") }];
}

/** What decides which state training keeps. */
export interface KeptFor {
  readonly optimizer: OptimizerOptions;
  readonly accumulate: number;
  readonly precision?: Precision | undefined;
}

/** Everything that training keeps beside. */
export function trainingArenas(table: ParameterTable, { optimizer, accumulate, precision }: KeptFor): Arena[] {
  const roles: readonly Role[] = [
    "gradient",
    "first",
    ...(optimizer.kind === "adamw" ? (["second"] as const) : []),
    ...(accumulate > 1 ? (["total"] as const) : []),
  ];
  return [
    ...roles.flatMap((role) => arenasOf(table, role)),
    { name: BATCH_STATISTICS_ARENA, entries: batchStatistics(table) },
    { name: CONTROL.arena, entries: [{ key: CONTROL.key, shape: [4], dtype: "u32" }] },
    { name: CLOCKS_ARENA, entries: GROUPS.map((group) => ({ key: clockKey(group), shape: [1], dtype: "u32" })) },
    ...(precision === "f16" ? [{ name: LOSS_SCALE.arena, entries: [{ key: LOSS_SCALE.key, shape: [2] }] }] : []),
    ...(accumulate > 1 ? [{ name: LOSS_TOTAL.arena, entries: [{ key: LOSS_TOTAL.key, shape: [1] }] }] : []),
  ];
}

export type NamedGroup = ParameterGroup & { readonly name: GroupName };

/** The groups that train, updated by gradients that lie in the arenas of `from`. */
export function parameterGroups(
  graph: Graph,
  table: ParameterTable,
  target: Target,
  rates: RateFactors,
  from: "gradient" | "total",
): NamedGroup[] {
  const factors = new Map(
    table.list("weight").flatMap((entry) => entry.parts.map(({ key }) => [key, rates(entry)] as const)),
  );
  return GROUPS.flatMap((name) => {
    const layout = new ArenaLayout(entriesOf(table, name, "weight"), target);
    const rated = layout.segmentsBy(target, (key) => factors.get(key) ?? 1);
    const segments = rated
      .map(({ segment, value: rateFactor }) => ({ segment, rateFactor }))
      .filter(({ rateFactor }) => rateFactor > 0);
    if (segments.length === 0) return [];
    const arenas = {
      weights: arenaOf("weight", name),
      gradients: arenaOf(from, name),
      first: arenaOf("first", name),
      second: arenaOf("second", name),
    };
    return [{ name, ...arenas, segments, clock: graph.state(clockKey(name), [1], "u32") }];
  });
}
