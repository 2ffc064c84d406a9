import { byteSize } from "../shader/shader.ts";
import { type Graph, readsOf } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { Lives, mostAtOnce } from "./lives.ts";

/** What a run needs at the least, in bytes. */
export interface Peak {
  /** Inputs, and the temporaries that must exist at once at the worst step. */
  readonly bytes: number;
  /** The inputs alone, which the host fills. */
  readonly inputs: number;
}

/**
 * The least that any plan of a trace needs, told from its shapes alone: nothing is lowered, so that a trace of absurd size is
 * judged in milliseconds. `keep` is read after the run; `placed` are ids of tensors that are stored elsewhere.
 */
export function peakOf(graph: Graph, keep: readonly Value[] = [], placed: Iterable<number> = []): Peak {
  const inputs = [...graph.inputs.values()];
  const outside = new Set([...inputs, ...graph.stored].map(({ id }) => id));
  for (const id of placed) outside.add(graph.root(id));
  const inputBytes = inputs.reduce((sum, value) => sum + byteSize(value), 0);
  return {
    bytes: inputBytes + mostAtOnce(livesOf(graph, outside, keep).values(), graph.steps.length),
    inputs: inputBytes,
  };
}

function livesOf(graph: Graph, outside: ReadonlySet<number>, keep: readonly Value[]): Lives {
  const lives = new Lives();
  const touch = (value: Value, at: number) => {
    const id = graph.root(value.id);
    if (!outside.has(id)) lives.touch(id, byteSize(value), at);
  };
  for (const [at, step] of graph.steps.entries()) {
    if (step.op.name === "view") continue; // costs nothing, and is no use of its tensor
    for (const value of [...readsOf(step), ...step.outputs]) touch(value, at);
  }
  for (const value of keep) touch(value, graph.steps.length);
  return lives;
}
