import { type Evaluated, evaluate, floats, type GivenTensor } from "../checks/evaluate.ts";
import type { Device } from "../kernels/device/device.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { channelsLast, fromChannelsLast, type Shape, toChannelsLast } from "../kernels/trace/shape.ts";
import type { Produced } from "./compare.ts";
import type { FixtureCase, FixtureFile, FixtureTensor } from "./fixture.ts";
import type { FileReport } from "./report.ts";
import type { Checker } from "./run.ts";
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

/** A checker that runs `check` on every case of a file. */
export function perCase(device: Device, check: (context: CaseCheck) => Promise<void>): Checker {
  return async (file: FixtureFile, report: FileReport) => {
    for (const name of file.caseNames()) {
      await report.inCase(name, () => check({ device, golden: file.case(name), report }));
    }
  };
}

/** Names of the inputs a case has gradients for, in file order. */
export function gradientNames(golden: FixtureCase): string[] {
  return golden.names().flatMap((name) => (name.startsWith("grad.") ? [name.slice("grad.".length)] : []));
}

/** A tensor of the graph the check named itself; the type system cannot know that it is there. */
export function valueNamed(values: Values, name: string): Value {
  const value = values[name];
  if (!value) throw new Error(`the case has no tensor ${name}`);
  return value;
}

/**
 * Runs `body` on the case's differentiable inputs and on `constants`, then compares the output and all gradients. The
 * inputs must be those in `inputs` or `optional`, no others.
 */
export async function checkGradients(
  { device, golden, report }: CaseCheck,
  spec: {
    readonly inputs: readonly string[];
    readonly optional?: readonly string[];
    readonly constants?: Readonly<Record<string, GivenTensor>>;
    readonly layout?: Layout;
    /** For tensors laid out otherwise than `layout`. */
    readonly layouts?: Readonly<Record<string, Layout>>;
    /** False where the output is a scalar whose own gradient is 1. */
    readonly upstream?: boolean;
  },
  body: (graph: Graph, values: Values) => Value | readonly Value[],
): Promise<Evaluated> {
  const layoutOf = (name: string): Layout => spec.layouts?.[name] ?? spec.layout ?? CHANNELS;
  const names = [...spec.inputs, ...(spec.optional ?? []).filter((name) => golden.has(name))];
  const given = Object.fromEntries(names.map((name) => [name, layoutOf(name).give(golden.float(name))]));
  const upstream =
    spec.upstream === false
      ? Float32Array.of(1)
      : (layoutOf("output").give(golden.float("upstream")).data as Float32Array);
  const result = await evaluate(device, { ...given, ...spec.constants }, body, { upstream, wanted: names });
  const [output] = result.outputs;
  if (!output) throw new Error("nothing was computed");
  report.compare(
    golden.name,
    golden.float("output"),
    layoutOf("output").back(output.shape, floats(output)),
    TOLERANCE.op,
  );
  for (const name of names) {
    const expected = golden.float(`grad.${name}`);
    const data = result.grads[name];
    if (!data) report.fail(golden.name, expected.name, "no gradient was computed");
    else report.compare(golden.name, expected, layoutOf(name).back(given[name]?.shape ?? [], data), TOLERANCE.op);
  }
  return result;
}

/** An integer tensor of the case as floats: masks. */
export function asFloats(tensor: FixtureTensor, factor = 1): FixtureTensor {
  return { ...tensor, data: Float32Array.from(tensor.data, (value) => value * factor) };
}
