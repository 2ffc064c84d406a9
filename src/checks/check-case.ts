import type { Device } from "../kernels/device/device.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Epilogue, Value, Values } from "../kernels/trace/op.ts";
import { lastOf, type Shape, sizeOf } from "../kernels/trace/shape.ts";
import { type AnyCase, type Check, caseName, type EpiloguePart, isActivationPart } from "./check.ts";
import { type Drawn, noise } from "./draw.ts";
import { epilogueInput, withEpilogue } from "./epilogue.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import { at, everywhere, type Numbers, type Tensors } from "./tensor.ts";
import { Verdict } from "./verdict.ts";

/** What a case gave and how far that is from its definition. */
export interface CaseResult {
  /** The op's name in the table. */
  readonly op: string;
  readonly case: string;
  /** Numbers compared. */
  readonly values: number;
  /** Largest difference over what is allowed; at most 1 passes. */
  readonly worst: number;
  /** What is wrong, in sentences; empty when the case passes. */
  readonly problems: readonly string[];
  /** All that came back, for comparisons bit by bit: outputs by number, gradients by `gradient of <input>`. */
  readonly results: ReadonlyMap<string, Float32Array | Int32Array | Uint32Array>;
}

/** Elements of a gradient that are compared: each costs two evaluations of the definition. */
const SLOPES = 24;

/** The step of central differences in float64: their own error is near 1e-10 of the numbers here. */
const STEP = 1e-5;

/**
 * Runs one case on a device: outputs are compared with the definition in full, gradients at sampled elements with central
 * differences of it. Whatever is wrong is told in the result; only a failure of the device throws.
 */
export async function checkCase(
  device: Device,
  check: Check,
  one: AnyCase,
  options: Pick<EvaluateOptions, "shader"> = {},
): Promise<CaseResult> {
  const drawn = { ...one.inputs, ...epilogueInputs(check, one) };
  const inputs = Object.fromEntries(
    Object.entries(drawn).map(([name, d], i) => [name, { shape: d.shape, data: d.numbers(i + 1) }]),
  );
  const given: Tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]),
  );
  const stored = withEpilogue(check.expected(given, one.attrs), one.epilogue, given);
  const expected = [...stored, ...(stored[0] ? (check.following?.(stored[0]) ?? []) : [])];
  const wanted = differentiable(check, one);
  const upstream = wanted.length > 0 && expected[0] ? upstreamOf(expected[0].shape, one) : undefined;
  const body = (graph: Graph, values: Values<string>) => call(graph, check, one, values);
  const backward = upstream ? { upstream, wanted } : {};
  const { outputs, grads } = await evaluate(device, inputs, body, { ...options, ...backward });
  const verdict = new Verdict(one.tolerance);
  const results = new Map<string, Float32Array | Int32Array | Uint32Array>();
  for (const [i, { shape, data }] of outputs.entries()) {
    const name = outputName(check, i);
    results.set(name, data);
    const exact = expected[i];
    if (exact) verdict.tensor(name, { shape, data: decoded(check, data) }, exact, isExact(check, data));
  }
  if (outputs.length < expected.length) verdict.problem(`${outputs.length} tensors came back, not ${expected.length}`);
  for (const input of wanted) {
    const name = `gradient of ${input}`;
    const grad = grads[input];
    if (!grad) {
      verdict.problem(`there is no ${name}`);
      continue;
    }
    results.set(name, grad);
    const places = sampled(grad.length, SLOPES);
    const slopes = places.map((index) => slopeAt(check, one, { given, input, index, upstream: upstream ?? [] }));
    verdict.samples(name, grad, places, slopes);
  }
  const { values, worst, problems } = verdict;
  return { op: check.name, case: caseName(one), values, worst, problems, results };
}

/** Adds a case to a trace. Returns its outputs and the inputs that must get a gradient. */
export function traceCase(
  graph: Graph,
  check: Check,
  one: AnyCase,
): { readonly outputs: readonly Value[]; readonly wanted: readonly Value[] } {
  const drawn = Object.entries({ ...one.inputs, ...epilogueInputs(check, one) });
  const values = Object.fromEntries(drawn.map(([name, { shape, dtype }]) => [name, graph.input(name, shape, dtype)]));
  return {
    outputs: call(graph, check, one, values),
    wanted: differentiable(check, one).flatMap((n) => values[n] ?? []),
  };
}

function call(graph: Graph, check: Check, { inputs, attrs, epilogue }: AnyCase, values: Values<string>) {
  return check.call(graph, pick(values, Object.keys(inputs)), attrs, epilogueOf(epilogue, values));
}

/** Inputs that must get a gradient; none with an epilogue, which only ever follows differentiation. */
function differentiable({ op, constants }: Check, { inputs, epilogue }: AnyCase): string[] {
  if (epilogue.length > 0 || op?.updates || typeof op?.derivative === "string") return [];
  return Object.keys(inputs).filter((name) => inputs[name]?.dtype === "f32" && !constants.has(name));
}

/** The gradient of the output. A scalar spreads it over all its inputs: it is made so large that theirs are near 1. */
export function upstreamOf(out: Shape, { inputs }: AnyCase): Float32Array {
  const most = Math.max(...Object.values(inputs).map(({ shape }) => sizeOf(shape)));
  const { numbers } = noise(out, { scale: sizeOf(out) === 1 ? most : 1 });
  return Float32Array.from(numbers(77));
}

/** Evenly spaced places. */
export function sampled(length: number, count: number): number[] {
  const number = Math.min(count, length);
  return Array.from({ length: number }, (_, i) => Math.floor(((i + 0.37) * length) / number));
}

export interface SlopePlace {
  readonly given: Tensors;
  readonly input: string;
  readonly index: number;
  readonly upstream: Numbers;
}

/** The derivative of sum(first output * upstream) by one element of an input: a central difference of the definition. */
export function slopeAt(
  check: Check,
  { attrs }: Pick<AnyCase, "attrs">,
  { given, input, index, upstream }: SlopePlace,
) {
  const data = given[input]?.data ?? new Float64Array(0);
  const here = at(data, index);
  const shapes = Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape]));
  const loss = (value: number): number => {
    data[index] = value;
    const [first] = check.expected(given, attrs);
    if (!first) return Number.NaN;
    const places = check.touches?.({ input, index, shapes, out: first.shape, attrs }) ?? everywhere(first.shape);
    let total = 0;
    for (const place of places) total += first.at(place) * at(upstream, place);
    return total;
  };
  const slope = (loss(here + STEP) - loss(here - STEP)) / (2 * STEP);
  data[index] = here;
  return slope;
}

/** Integers are exact; floats hidden in words are not. */
const isExact = ({ words }: Check, data: Numbers): boolean => !words && !(data instanceof Float32Array);

export const decoded = ({ words }: Check, data: Numbers): Numbers =>
  words && data instanceof Uint32Array ? words(data) : data;

function outputName({ op }: Check, i: number): string {
  return op?.updates?.[i] ?? (i === 0 ? "output" : `further output ${i}`);
}

const pick = <T>(all: { readonly [name: string]: T }, names: readonly string[]): { [name: string]: T } =>
  Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]] as const])));

/** Parts that have a tensor, and by what name an epilogue has it. */
const TENSORS = { scale: "scale", bias: "bias", residual: "residual", slope: "saved" } as const;
const PARTS = ["scale", "bias", "residual", "slope"] as const;

/** Parts shaped as the output; the others have one number a channel. */
const WHOLE: ReadonlySet<EpiloguePart> = new Set(["residual", "slope"]);

function epilogueInputs({ op }: Check, { inputs, attrs, epilogue }: AnyCase): { readonly [name: string]: Drawn } {
  if (epilogue.length === 0) return {};
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const out = op?.shape(shapes, attrs) ?? [];
  const wanted = PARTS.filter((part) => epilogue.includes(part));
  return Object.fromEntries(
    wanted.map((part) => [epilogueInput(part), noise(WHOLE.has(part) ? out : [lastOf(out)], { centre: 0.3 })]),
  );
}

function epilogueOf(parts: readonly EpiloguePart[], values: Values<string>): Epilogue {
  const activation = parts.find(isActivationPart);
  const tensors = PARTS.filter((part) => parts.includes(part)).flatMap((part): [string, Value][] => {
    const value = values[epilogueInput(part)];
    return value ? [[TENSORS[part], value]] : [];
  });
  const slope: Epilogue = parts.includes("slope") ? { slope: "silu" } : {};
  return { ...Object.fromEntries(tensors), ...(activation ? { activation } : {}), ...slope };
}
