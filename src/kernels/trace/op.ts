import type { Target } from "../target.ts";
import type { Cost } from "./cost.ts";
import type { Shape } from "./shape.ts";

/** f16 is how a tensor is stored; kernels see its elements as f32. */
export type DType = "f32" | "f16" | "i32" | "u32";

/** A tensor as networks and kernels see it: an identity, a shape, an element type. It owns no memory. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

export type Shapes<K extends string> = { readonly [P in K]: Shape };
export type Values<K extends string> = { readonly [P in K]: Value };

/** How a tensor is bound: read only, written only, or read and changed in place. */
export type Access = "read" | "write" | "update";

export interface Binding {
  readonly value: Value;
  readonly access: Access;
}

/** One dispatch. The text of `wgsl` is the pipeline cache key, so nothing it depends on can be left out of the key. */
export interface Dispatch {
  readonly label: string;
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  /** The uniform block, bound after the tensors, as 32-bit words. */
  readonly uniform: Uint32Array;
  readonly workgroups: readonly [x: number, y: number, z: number];
}

/**
 * What a fused step does to each result before storing it: `activation(y * scale[channel] + bias[channel] + residual)`; or,
 * where it makes a gradient, that sum times the slope of an activation at `saved`.
 */
export interface Epilogue {
  /** Contractions only: a folded norm. */
  readonly scale?: Value;
  readonly bias?: Value;
  readonly residual?: Value;
  readonly activation?: Activation;
  /** The activation whose slope the sum is multiplied by; with `saved` and without `activation`. */
  readonly slope?: Activation;
  /** Shaped as the result: the activation's output or its input, as its slope is written (shader/activation.ts). */
  readonly saved?: Value;
}

/** Activations that an epilogue may have; kernels number them in this order. */
export const FUSED_ACTIVATIONS = ["relu", "silu", "gelu", "sigmoid", "hardswish"] as const;
export type Activation = (typeof FUSED_ACTIVATIONS)[number];

/** Whether an op of this name may move into an epilogue as its activation. */
export const isFusedActivation = (name: string): name is Activation =>
  FUSED_ACTIVATIONS.some((known) => known === name);

/** The activation by whose slope an op of this name multiplies a gradient; null of any other op. */
export function slopeTaken(name: string): Activation | null {
  const activation = name.replace(/Grad$/, "");
  return activation !== name && isFusedActivation(activation) ? activation : null;
}

/**
 * Half precision round an op: `reads`, its inputs may be stored in it; `computes`, its first output too; `moves`, the same
 * of an op that copies or adds up numbers, so that its output is worth no more than its inputs and they no more than it.
 */
export type Half = "reads" | "computes" | "moves";

/** Everything an op may use to write its dispatches. */
export interface LowerCall<I extends string, A> {
  readonly inputs: Values<I>;
  readonly out: Value;
  /** The further outputs, in the order of `extra`. */
  readonly extra: readonly Value[];
  readonly attrs: A;
  readonly target: Target;
  readonly epilogue: Epilogue;
  /** A tensor that lives only while this op runs; planned like any other. */
  scratch(shape: Shape, dtype?: DType): Value;
}

/** Builds steps: a network calls ops through it, and so do derivatives. */
export interface Exec {
  apply<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): Value;
  /** As `apply`, for ops with several outputs. */
  applyAll<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): readonly [Value, ...Value[]];
  /** The same numbers under another shape of equal size; costs nothing. */
  view(value: Value, shape: Shape): Value;
}

/** The derivative of an op, as one thunk per input so that only the wanted gradients are computed. */
export interface Derivative<I extends string, A, S extends string> {
  /** What the forward pass must keep: inputs, "out", or "extra0".. . `backward` can reach nothing else. */
  readonly saves: readonly S[];
  backward(
    grad: Value,
    saved: Values<S>,
    call: { readonly shapes: Shapes<I>; readonly out: Shape; readonly attrs: A; readonly exec: Exec },
  ): { readonly [K in I]: (() => Value) | null };
}

/** A call of an op that makes what another call has made. It has that one's epilogue. */
export interface Repetition {
  readonly op: AnyOp;
  readonly inputs: Values<string>;
  readonly attrs: unknown;
}

export interface Op<I extends string, A> {
  readonly name: string;
  /** In binding order. At most six, so that with output and uniform the default limits always suffice. */
  readonly inputs: readonly I[];
  /** Inputs changed in place (optimizer state, running statistics). Such an op has no output of its own. */
  readonly updates?: readonly I[];
  /** Shape of the first output; null for an op that only updates. Throws ShapeError with all shapes. */
  shape(inputs: Shapes<I>, attrs: A): Shape | null;
  readonly dtype?: DType;
  /** Shapes of outputs that the same pass makes anyway. They carry no gradient. */
  extra?(inputs: Shapes<I>, attrs: A): readonly Shape[];
  lower(call: LowerCall<I, A>): readonly Dispatch[];
  /** What makes the first output again, bit for bit, once the further ones are there. Left out: the op itself. */
  again?(call: { readonly inputs: Values<I>; readonly extra: readonly Value[]; readonly attrs: A }): Repetition;
  /** What `lower` honours of {@link LowerCall.epilogue}; fusion gives it nothing else. Left out: nothing. */
  readonly epilogue?: readonly (keyof Epilogue)[];
  /** What it is to the step before it, which may take it over into its epilogue. Left out: nothing. */
  readonly fusedAs?: keyof Epilogue | "norm";
  /** Multiply-accumulates that are really done. Zero for ops that only move or compare. */
  macs(inputs: Shapes<I>, out: Shape, attrs: A): number;
  /** What tables of costs make of them. */
  readonly cost: Cost;
  /** Its results are kept from run to run where they follow from state alone, however large they are. */
  readonly settles?: "always";
  /** What may be stored in half precision round it. Left out: its inputs and outputs are f32. */
  readonly half?: Half;
  /** A string says why the op has no derivative. */
  readonly derivative: Derivative<I, A, string> | string;
}

/** An op whose input names and attributes are no longer known to the compiler, as stored in a trace. */
// biome-ignore lint/suspicious/noExplicitAny: attributes are invariant; only `defineOp` makes ops, so they fit their step
export type AnyOp = Op<string, any>;

/** Forgets the names of an op's inputs, as a trace does. */
export function repetition<I extends string, A>(op: Op<I, A>, inputs: Values<I>, attrs: A): Repetition {
  return { op: op as unknown as AnyOp, inputs, attrs };
}

export const NO_MACS = (): number => 0;
export const FIRST_ORDER = "second derivatives are not supported";

/** Declares an op. `A` is given by hand; the input and saved names are inferred from the lists. */
export function defineOp<A>() {
  return <
    const I extends string,
    const S extends NoInfer<I> | "out" | "extra0" | "extra1" = never,
    const U extends NoInfer<I> = never,
  >(
    op: Omit<Op<I, A>, "derivative" | "updates"> & {
      readonly updates?: readonly U[];
      readonly derivative: Derivative<I, A, S> | string;
    },
  ): Op<I, A> => op as unknown as Op<I, A>;
}
