import { stored } from "../autograd/optimizer.ts";
import { Program } from "../kernels/compile/program.ts";
import { ArenaLayout, type StateEntry, type StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { adamW, prepareAdamW, tick } from "../kernels/ops/update/update.ts";
import { Graph } from "../kernels/trace/graph.ts";

export interface AdamWSettings {
  readonly rate: number;
  readonly betas: readonly number[];
  readonly eps: number;
  readonly decay: number;
}

/** An arena of a store and what lies in it. */
export interface Arena {
  readonly name: string;
  readonly entries: readonly StateEntry[];
}

/** Takes the first AdamW step on an arena from given gradients, by key, and returns the arena's tensors after it. */
export async function adamWAfter(
  device: Device,
  store: StateStore,
  arena: Arena,
  gradients: ReadonlyMap<string, Float32Array>,
  { rate, betas: [beta1 = 0.9, beta2 = 0.999], eps, decay: weightDecay }: AdamWSettings,
): Promise<Map<string, Float32Array>> {
  for (const name of ["gradient", "first", "second"]) {
    await store.allocate(name, prefixed(arena.entries, name));
  }
  for (const [key, data] of gradients) store.write(`gradient/${key}`, data);
  const graph = new Graph();
  const clock = graph.input("clock", [1], "u32");
  const control = graph.input("control", [4], "u32");
  const rates = graph.input("rate", [2]);
  graph.update(tick, { clock, control }, {});
  const attrs = { beta1, beta2, weightDecay };
  const hyper = graph.apply(prepareAdamW, { clock, control, rate: rates }, attrs);
  const { target } = device;
  for (const segment of new ArenaLayout(arena.entries, target).segments(target)) {
    const of = (name: string) => stored(graph, name, segment);
    const moments = { first: of("first"), second: of("second"), gradient: of("gradient") };
    graph.update(adamW, { parameter: of(arena.name), ...moments, hyper }, { ...attrs, eps });
  }
  const program = await Program.compile(device, graph, { store });
  try {
    program.poison();
    program.write("clock", new Uint32Array(1));
    program.write("control", Uint32Array.of(0, 0, ...bitsOf(1), 0));
    program.write("rate", Float32Array.of(rate, 1));
    program.run();
    return await store.readArena(arena.name);
  } finally {
    program.destroy();
  }
}

function prefixed(entries: readonly StateEntry[], prefix: string): StateEntry[] {
  return entries.map((entry) => ({ ...entry, key: `${prefix}/${entry.key}` }));
}

const bitsOf = (value: number): Uint32Array => new Uint32Array(Float32Array.of(value).buffer);
