import { type Evaluated, evaluate, floats, type GivenTensor } from "../checks/evaluate.ts";
import type { Device } from "../kernels/device/device.ts";
import { addBias } from "../kernels/ops/contraction/linear.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Op, Value } from "../kernels/trace/op.ts";
import { channelsLast, fromChannelsLast, type Shape, toChannelsLast } from "../kernels/trace/shape.ts";
import type { Produced } from "./compare.ts";
import type { FixtureCase, FixtureTensor } from "./fixture.ts";
import type { FileReport } from "./report.ts";
import { TOLERANCE } from "./tolerance.ts";

/** How golden tensors lie in ours, and back. */
export interface Layout {
  give(tensor: FixtureTensor): GivenTensor;
  back(shape: Shape, data: Float32Array): Produced;
}

/** [n, c, ...] there, [n, ..., c] here; one and two axes are the same in both. */
export const CHANNELS: Layout = {
  give: ({ shape, data }) => ({ shape: channelsLast(shape), data: toChannelsLast(data, shape) }),
  back(shape, data) {
    const theirs = channelsFirst(shape);
    return { shape: theirs, data: fromChannelsLast(data, theirs) };
  },
};

/** The same axes in the same order. */
export const PLAIN: Layout = {
  give: ({ shape, data }) => ({ shape, data }),
  back: (shape, data) => ({ shape, data }),
};

function channelsFirst(shape: Shape): Shape {
  const last = shape[shape.length - 1];
  const [first] = shape;
  return shape.length < 3 || first === undefined || last === undefined ? shape : [first, last, ...shape.slice(1, -1)];
}

export type Values = Readonly<Record<string, Value>>;

/** One case of a family: where to compute, what to compare, whom to tell. */
export interface CaseCheck {
  readonly device: Device;
  readonly golden: FixtureCase;
  readonly report: FileReport;
}

/** How a golden case calls our ops: its tensors by name take the place of a check's drawn ones. */
export interface GoldenCall {
  /** Inputs that the case has gradients of: these and no others. */
  readonly inputs: readonly string[];
  readonly optional?: readonly string[];
  readonly constants?: Readonly<Record<string, GivenTensor>>;
  /** {@link CHANNELS} when left out. */
  readonly layout?: Layout;
  /** Set where the output is a scalar whose own gradient is 1. */
  readonly scalar?: true;
  /** The first value is the case's output. */
  body(graph: Graph, values: Values): Value | readonly Value[];
}

/** A tensor of the graph the call named itself; the type system cannot know that it is there. */
export function valueNamed(values: Values, name: string): Value {
  const value = values[name];
  if (!value) throw new Error(`the case has no tensor ${name}`);
  return value;
}

/** Tensors by the names they have in a case. */
export const valuesNamed = <I extends string>(values: Values, names: readonly I[]) =>
  Object.fromEntries(names.map((name) => [name, valueNamed(values, name)])) as { readonly [P in I]: Value };

/** Calls one op with the case's tensors of its inputs' names. */
export function callOf<I extends string, A>(
  op: Op<I, A>,
  attrs: A,
  more: Partial<Omit<GoldenCall, "body">> = {},
): GoldenCall {
  const { constants = {} } = more;
  return {
    inputs: op.inputs.filter((name) => !Object.hasOwn(constants, name)),
    ...more,
    body: (graph, values) => graph.applyAll(op, valuesNamed(values, op.inputs), attrs),
  };
}

/** The same, plus the bias that a case may have. */
export function biased(call: GoldenCall): GoldenCall {
  return {
    ...call,
    optional: ["bias"],
    body(graph, values) {
      const [y] = [call.body(graph, values)].flat();
      const { bias } = values;
      return y && bias ? graph.apply(addBias, { x: y, bias }, {}) : (y ?? []);
    },
  };
}

/** Runs a call on the case's tensors and compares the output and all gradients. */
export async function compareCall(
  { device, golden, report }: CaseCheck,
  { inputs, optional = [], constants = {}, layout = CHANNELS, scalar, body }: GoldenCall,
): Promise<Evaluated> {
  const names = [...inputs, ...optional.filter((name) => golden.has(name))];
  const given = Object.fromEntries(names.map((name) => [name, layout.give(golden.float(name))]));
  const upstream = scalar ? Float32Array.of(1) : Float32Array.from(layout.give(golden.float("upstream")).data);
  const result = await evaluate(device, { ...given, ...constants }, body, { upstream, wanted: names });
  const [output] = result.outputs;
  if (!output) throw new Error("nothing was computed");
  report.compare(golden.name, golden.float("output"), layout.back(output.shape, floats(output)), TOLERANCE.op);
  for (const name of names) {
    const expected = golden.float(`grad.${name}`);
    const data = result.grads[name];
    if (!data) report.fail(golden.name, expected.name, "no gradient was computed");
    else report.compare(golden.name, expected, layout.back(given[name]?.shape ?? [], data), TOLERANCE.op);
  }
  return result;
}
