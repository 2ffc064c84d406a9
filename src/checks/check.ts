import type { Graph } from "../kernels/trace/graph.ts";
import {
  type Activation,
  type AnyOp,
  type Epilogue,
  isFusedActivation,
  type Op,
  type Value,
  type Values,
} from "../kernels/trace/op.ts";
import type { Shape } from "../kernels/trace/shape.ts";
import { type Drawn, noise } from "./draw.ts";
import type { Elements, Tensors } from "./tensor.ts";

/** Shapes alone stand for noise in -1 .. 1. */
type Inputs<I extends string> = { readonly [P in I]: Shape | Drawn };
type Attrs<A> = unknown extends A ? { readonly attrs?: A } : { readonly attrs: A };

/** One call: sizes and attributes. Odd sizes find more than round ones. */
export type Case<I extends string, A> = Attrs<A> & {
  readonly inputs: Inputs<I>;
  /** What is special about it, where shapes and attributes do not say so. */
  readonly about?: string;
  /** Tried again with what the op's declaration says of epilogues: each part alone, then all. The first case is, if it does not say. */
  readonly fused?: boolean;
  /** By how much this one may differ, where that is not as far as the others. */
  readonly tolerance?: number;
};

/** A call whose kernels are timed, after some of their results were checked. */
export type BenchCase<I extends string, A> = Case<I, A> & {
  /** The row of the table. */
  readonly row: string;
  /** The sizes in words. */
  readonly detail: string;
  /** Set where multiply-accumulates bound it, not bytes: then FLOP/s are figured. */
  readonly arithmetic?: true;
  /** The backward passes that are timed, each for the gradients of some inputs. */
  readonly passes: readonly BenchPass<I>[];
};

export interface BenchPass<I extends string> {
  readonly name: string;
  readonly of: readonly I[];
  /** How many elements of each gradient are compared, where float64 takes long. */
  readonly samples?: number;
}

/** How large a bench is: a CPU driver is busy for milliseconds with a sixteenth of what a GPU takes. */
export interface BenchSize {
  readonly software: boolean;
  /** Images at a time. */
  readonly batch: number;
}

/** What a call touches: for differences that need not compute what cannot change. */
export interface Touch<I extends string, A> {
  readonly input: I;
  readonly index: number;
  readonly shapes: { readonly [P in I]: Shape };
  readonly out: Shape;
  readonly attrs: A;
}

interface Definition<I extends string, A> {
  /**
   * The outputs by definition, in float64 and by plain loops: the first and as many of the further ones as there is
   * something to say about. Of an op that changes tensors in place these, in the order of `updates`. Shares no code
   * and no order of loops with the kernels.
   */
  expected(given: Tensors<I>, attrs: A): readonly Elements[];
  /** Further outputs that are made of the first as it is stored, its epilogue included. */
  following?(stored: Elements): readonly Elements[];
  /** Inputs of floats that no gradient reaches. Every other one must get one. */
  readonly constants?: readonly NoInfer<I>[];
  /** Share of the largest number by which results may differ; {@link TOLERANCE} when left out. */
  readonly tolerance?: number;
  /** Indices of the first output that an element of an input takes part in, or more of them; all when left out. */
  touches?(touch: Touch<NoInfer<I>, A>): Iterable<number>;
  readonly cases: readonly Case<I, A>[];
  bench?(size: BenchSize): readonly BenchCase<I, A>[];
}

interface OpDefinition<I extends string, A> extends Definition<I, A> {
  /** Numbers that the words of an updated tensor stand for, where they are not what its element type says. */
  words?(words: Uint32Array): readonly number[];
}

/** An op or a few of them together, as everything that checks or times sees it: names are strings, attributes opaque. */
export interface Check {
  readonly name: string;
  /** Null for several ops together. */
  readonly op: AnyOp | null;
  readonly constants: ReadonlySet<string>;
  readonly cases: readonly AnyCase[];
  bench(size: BenchSize): readonly AnyBenchCase[];
  expected(given: Tensors, attrs: unknown): readonly Elements[];
  following?(stored: Elements): readonly Elements[];
  touches?(touch: Touch<string, unknown>): Iterable<number>;
  words?(words: Uint32Array): readonly number[];
  /** Adds the call to a trace. Returns its outputs; of an op that changes tensors in place these. */
  call(graph: Graph, values: Values<string>, attrs: unknown, epilogue: Epilogue): readonly Value[];
}

/** `slope` is that of SiLU. */
export type EpiloguePart = "scale" | "bias" | "residual" | "slope" | Activation;

export interface AnyCase {
  readonly inputs: { readonly [name: string]: Drawn };
  readonly attrs: unknown;
  readonly about: string;
  readonly epilogue: readonly EpiloguePart[];
  /** The share of the largest number by which results may differ. */
  readonly tolerance: number;
}

export type AnyBenchCase = AnyCase & Pick<BenchCase<string, unknown>, "row" | "detail" | "arithmetic" | "passes">;

export const isActivationPart = (part: EpiloguePart): part is Activation => isFusedActivation(part);

/** What float32 may differ by, as a share of the largest number (of 1, when all are smaller). */
export const TOLERANCE = 2e-5;

/** The same of sums as long as those of a bench. */
const BENCH_TOLERANCE = 2e-4;

const SUMMED = ["scale", "bias", "residual"] as const;

/**
 * Every part of an epilogue that an op says it honours, alone, then all of them where there are several, once for each of
 * what it may end with.
 */
function epiloguesOf({ epilogue = [] }: Pick<AnyOp, "epilogue">): EpiloguePart[][] {
  const summed = SUMMED.filter((part) => epilogue.includes(part));
  const alone = summed.map((part) => [part]);
  const activated = epilogue.includes("activation") ? [["gelu" as const], [...summed, "silu" as const]] : [];
  const sloped = epilogue.includes("slope") ? [[...summed, "slope" as const]] : [];
  return [...alone, ...activated, ...sloped];
}

/** Checks an op of the table against its definition. */
export function checkOf<I extends string, A>(op: Op<I, A>, definition: OpDefinition<NoInfer<I>, NoInfer<A>>): Check {
  return erased(op.name, op as unknown as AnyOp, definition, (graph, values, attrs, epilogue) => {
    if (op.updates) {
      graph.update(op, values as Values<I>, attrs as A);
      return op.updates.flatMap((name) => values[name] ?? []);
    }
    const outputs = graph.applyAll(op, values as Values<I>, attrs as A);
    const [step] = graph.steps.slice(-1);
    if (step) graph.replaceSteps([...graph.steps.slice(0, -1), { ...step, epilogue }]);
    return outputs;
  });
}

/** Checks what several ops give together: for benches of what networks are made of. */
export function checkTogether<I extends string>(
  name: string,
  definition: Definition<I, unknown> & { body(graph: Graph, values: Values<I>): Value },
): Check {
  return erased(name, null, definition, (graph, values) => [definition.body(graph, values as Values<I>)]);
}

function erased<I extends string, A>(
  name: string,
  op: AnyOp | null,
  definition: OpDefinition<I, A>,
  call: Check["call"],
): Check {
  const { constants = [], tolerance = TOLERANCE, cases } = definition;
  const opaque = definition as unknown as OpDefinition<string, unknown>;
  return {
    name,
    op,
    constants: new Set<string>(constants),
    cases: (cases as readonly Case<string, unknown>[]).flatMap((one, i) => {
      const epilogues = op && (one.fused ?? i === 0) ? [[], ...epiloguesOf(op)] : [[]];
      return epilogues.map((epilogue) => ({ ...drawn(one, tolerance), epilogue }));
    }),
    bench: (size) => (opaque.bench?.(size) ?? []).map((one) => ({ ...one, ...drawn(one, BENCH_TOLERANCE) })),
    expected: opaque.expected,
    ...(opaque.following ? { following: opaque.following } : {}),
    ...(opaque.touches ? { touches: opaque.touches } : {}),
    ...(opaque.words ? { words: opaque.words } : {}),
    call,
  };
}

function drawn({ inputs, attrs = {}, about = "", ...own }: Case<string, unknown>, tolerance: number): AnyCase {
  const given = Object.entries(inputs).map(([name, input]) => [name, isShape(input) ? noise(input) : input] as const);
  return { inputs: Object.fromEntries(given), attrs, about, epilogue: [], tolerance: own.tolerance ?? tolerance };
}

const isShape = (input: Shape | Drawn): input is Shape => Array.isArray(input);

/** A case in words: what a failure is named by. */
export function caseName({ inputs, attrs, about, epilogue }: AnyCase): string {
  const shapes = Object.entries(inputs).map(([name, { shape }]) => `${name} [${shape.join(", ")}]`);
  const settings = Object.entries(attrs as object).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const parts = [
    shapes.join(", "),
    settings.join(", "),
    about,
    epilogue.length > 0 ? `then ${epilogue.join(", ")}` : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}
