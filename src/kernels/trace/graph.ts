import { ShapeError } from "../../errors.ts";
import { FREE, type LayerTag } from "./cost.ts";
import type { AnyOp, DType, Epilogue, Exec, Op, Shapes, Value, Values } from "./op.ts";
import { type Shape, sizeOf } from "./shape.ts";

/** One call of an op in a trace. */
export interface Step {
  readonly op: AnyOp;
  readonly inputs: Values<string>;
  readonly attrs: unknown;
  /** The first output and its extras; empty for an op that only updates. */
  readonly outputs: readonly Value[];
  /** The layer that called it, for messages and profiles. */
  readonly path: string;
  /** What the layer said it is, for tables of costs. */
  readonly tag: LayerTag | null;
  readonly epilogue: Epilogue;
}

/** A stretch of an arena, no longer than a binding: `floats` numbers from byte `offset` of a buffer on. */
export interface Segment {
  readonly buffer: number;
  readonly offset: number;
  readonly floats: number;
}

/** A stretch of an arena seen as one tensor `[floats]`, whatever lies in it. */
export interface Stretch {
  readonly arena: string;
  readonly segment: Segment;
  readonly value: Value;
}

let nextId = 0;
const fresh = (shape: Shape, dtype: DType = "f32"): Value => ({ id: nextId++, shape, dtype });

/**
 * A trace: the steps a network asks for, on shapes alone. Nothing runs here; costs, memory, gradients and programs
 * are all read off the list.
 */
export class Graph implements Exec {
  readonly steps: Step[] = [];
  /** Tensors written by the host before a run, by name. */
  readonly inputs = new Map<string, Value>();
  /** Tensors that live outside one run (weights, statistics, gradients, moments), by the key of their storage. */
  readonly resident = new Map<string, Value>();
  /** Stretches of arenas that steps read or change. */
  readonly stretches: Stretch[] = [];
  /** View id to the id of the tensor whose storage it shares. */
  readonly views = new Map<number, number>();
  /**
   * True for a network that is only evaluated. Its logits stay within their tolerance with faster kernels that round more;
   * gradients of networks with rectifiers near their kinks do not.
   */
  evaluates = false;
  readonly #path: string[] = [];
  #tag: LayerTag | null = null;

  /** A tensor the host writes before each run. The same name gives the same tensor; another shape is an error. */
  input(name: string, shape: Shape, dtype: DType = "f32"): Value {
    return declared(this.inputs, "input", name, shape, dtype);
  }

  /** A tensor kept in a {@link StateStore} under `key` between runs. */
  state(key: string, shape: Shape, dtype: DType = "f32"): Value {
    return declared(this.resident, "state", key, shape, dtype);
  }

  /** A stretch of an arena of a {@link StateStore}. The same stretch gives the same tensor. */
  stretch(arena: string, segment: Segment): Value {
    const { buffer, offset, floats } = segment;
    const known = this.stretches.find(
      ({ arena: name, segment: one }) =>
        name === arena && one.buffer === buffer && one.offset === offset && one.floats === floats,
    );
    if (known) return known.value;
    const value = fresh([floats]);
    this.stretches.push({ arena, segment, value });
    return value;
  }

  /** Every tensor that lives outside a run. */
  get stored(): readonly Value[] {
    return [...this.resident.values(), ...this.stretches.map(({ value }) => value)];
  }

  /** Runs `body` with `name` added to the path recorded in its steps. */
  scope<R>(name: string, body: () => R): R {
    this.#path.push(name);
    try {
      return body();
    } finally {
      this.#path.pop();
    }
  }

  /** Runs `body`, whose steps are what `tag` says; an outer tag yields to an inner one. */
  tagged<R>(tag: LayerTag, body: () => R): R {
    const outer = this.#tag;
    this.#tag = tag;
    try {
      return body();
    } finally {
      this.#tag = outer;
    }
  }

  get path(): string {
    return this.#path.join(".");
  }

  apply<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): Value {
    return this.applyAll(op, inputs, attrs)[0];
  }

  applyAll<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): readonly [Value, ...Value[]] {
    const outputs = this.#record(op, inputs, attrs);
    const [first, ...rest] = outputs;
    if (!first) throw new Error(`${op.name} has no output: use update()`);
    return [first, ...rest];
  }

  /** Adds an op that changes some of its inputs in place and makes nothing new. */
  update<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): void {
    this.#record(op, inputs, attrs);
  }

  #record<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): readonly Value[] {
    const shapes = shapesOf(inputs);
    const shape = this.#inPath(() => op.shape(shapes, attrs));
    const outputs =
      shape === null ? [] : [fresh(shape, op.dtype), ...(op.extra?.(shapes, attrs) ?? []).map((s) => fresh(s))];
    this.steps.push({
      op: op as unknown as AnyOp,
      inputs,
      attrs,
      outputs,
      path: this.path,
      tag: this.#tag,
      epilogue: {},
    });
    return outputs;
  }

  #inPath<R>(body: () => R): R {
    try {
      return body();
    } catch (error) {
      if (error instanceof ShapeError && this.path !== "") throw new ShapeError(`${error.message} in ${this.path}`);
      throw error;
    }
  }

  view(value: Value, shape: Shape): Value {
    if (sizeOf(shape) !== sizeOf(value.shape)) {
      throw new ShapeError(`view: [${value.shape}] has another number of elements than [${shape}]`);
    }
    const view = fresh(shape, value.dtype);
    this.views.set(view.id, this.root(value.id));
    this.steps.push({
      op: viewOp,
      inputs: { x: value },
      attrs: {},
      outputs: [view],
      path: this.path,
      tag: this.#tag,
      epilogue: {},
    });
    return view;
  }

  /** Puts a pass's result in place of the steps so far. */
  replaceSteps(steps: readonly Step[]): void {
    this.steps.splice(0, this.steps.length, ...steps);
  }

  /** The tensor whose storage `id` shares; itself when it is no view. */
  root(id: number): number {
    return this.views.get(id) ?? id;
  }
}

function declared(map: Map<string, Value>, kind: string, name: string, shape: Shape, dtype: DType): Value {
  const known = map.get(name);
  if (!known) {
    const value = fresh(shape, dtype);
    map.set(name, value);
    return value;
  }
  if (known.shape.join() !== shape.join() || known.dtype !== dtype) {
    throw new ShapeError(`${kind} ${name} is [${known.shape}] ${known.dtype} and cannot also be [${shape}] ${dtype}`);
  }
  return known;
}

export function shapesOf<I extends string>(inputs: Values<I>): Shapes<I> {
  return Object.fromEntries(Object.entries<Value>(inputs).map(([name, v]) => [name, v.shape])) as Shapes<I>;
}

/** Everything a step reads: its inputs, then what its epilogue adds or multiplies by. */
export function readsOf({ inputs, epilogue }: Step): Value[] {
  return [...Object.values<Value>(inputs), ...Object.values(epilogue).filter((part) => typeof part === "object")];
}

/** The step reading `of` each tensor instead. */
export function withReads(step: Step, of: (value: Value) => Value): Step {
  const inputs = Object.fromEntries(Object.entries(step.inputs).map(([name, value]) => [name, of(value)]));
  const epilogue = Object.fromEntries(
    Object.entries(step.epilogue).map(([part, given]) => [part, typeof given === "object" ? of(given) : given]),
  );
  return { ...step, inputs, epilogue };
}

/** Makes a value outside a graph's own calls: scratch of a lowering, a rewritten step's output. */
export const freshValue = fresh;

/** The step a view leaves in the trace. It has no dispatch; its gradient is a view back. */
const viewOp: AnyOp = {
  name: "view",
  inputs: ["x"],
  shape: (shapes: Shapes<string>) => shapes["x"] ?? [],
  lower: () => [],
  macs: () => 0,
  cost: FREE,
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, exec }) => ({ x: () => exec.view(grad, shapes["x"] ?? []) }),
  },
};
