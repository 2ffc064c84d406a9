import { differentiate } from "../autograd/differentiate.ts";
import type { AnyBenchCase, BenchPass, Check } from "../checks/check.ts";
import { sampled, slopeAt, upstreamOf } from "../checks/check-case.ts";
import type { Numbers, Tensors } from "../checks/tensor.ts";
import { Verdict } from "../checks/verdict.ts";
import { Program } from "../kernels/compile/program.ts";
import { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { sizeOf } from "../kernels/trace/shape.ts";
import { kernelTime, type Timed } from "./measure.ts";

/** One row of the table, ready to be timed. */
export interface PreparedRow {
  readonly op: string;
  readonly detail: string;
  readonly pass: string;
  /** Floating-point operations, two a multiply-accumulate; null where bytes count. */
  readonly flops: number | null;
  /** Bytes of every tensor read or written once. */
  readonly bytes: number;
  /** Why it must not be timed. */
  readonly refusal: string | null;
  readonly time: Timed;
  readonly program: Program;
}

const UPSTREAM = "upstream";
const PATH = "op";

/** Elements of each result that are compared, unless a pass says that fewer do. */
const SAMPLES = 48;

/** Compiles the forward pass and every backward pass of a case, runs each once and compares samples of the results. */
export async function prepareRows(device: Device, check: Check, one: AnyBenchCase): Promise<PreparedRow[]> {
  const rows = [await prepareRow(device, check, one, null)];
  for (const pass of one.passes) rows.push(await prepareRow(device, check, one, pass));
  return rows;
}

async function prepareRow(
  device: Device,
  check: Check,
  one: AnyBenchCase,
  pass: BenchPass<string> | null,
): Promise<PreparedRow> {
  const { graph, inputs, outputs, grads } = trace(check, one, pass);
  const results = pass === null ? outputs : [...grads.values()];
  const store = new StateStore(device);
  const program = await Program.compile(device, graph, { store, keep: [...outputs, ...grads.values()] });
  program.poison();
  const given: Record<string, { readonly shape: readonly number[]; readonly data: Float64Array }> = {};
  for (const [i, [name, { shape, numbers }]] of Object.entries(one.inputs).entries()) {
    const data = numbers(i + 1);
    given[name] = { shape, data: Float64Array.from(data) };
    program.write(name, data);
  }
  const upstream = pass === null ? [] : upstreamOf(outputs[0]?.shape ?? [], one);
  if (upstream instanceof Float32Array) program.write(UPSTREAM, upstream);
  program.run();
  const counts = (path: string) => path.startsWith(pass === null ? PATH : `${PATH}'`);
  const macs = program.dispatches.reduce((sum, d) => sum + (counts(d.path) ? d.macs : 0), 0);
  const changed = check.op?.updates ? outputs : outputs.slice(0, 1);
  const touched = [...inputs, ...changed, ...(pass === null ? [] : results)];
  return {
    op: one.row,
    detail: one.detail,
    pass: pass?.name ?? (check.op?.updates ? "update" : "forward"),
    flops: one.arithmetic ? 2 * macs : null,
    bytes: touched.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0),
    refusal:
      pass === null
        ? await refusedOutputs(program, outputs, { check, one, given })
        : await refusedGradients(program, grads, { check, one, given, samples: pass.samples ?? SAMPLES, upstream }),
    time: kernelTime(device, program, counts),
    program,
  };
}

function trace(check: Check, one: AnyBenchCase, pass: BenchPass<string> | null) {
  const graph = new Graph();
  const values: Record<string, Value> = {};
  for (const [name, { shape, dtype }] of Object.entries(one.inputs)) values[name] = graph.input(name, shape, dtype);
  const outputs = graph.scope(PATH, () => check.call(graph, values, one.attrs, {}));
  const grads = new Map<string, Value>();
  const [out] = outputs;
  if (pass && out) {
    const sources = pass.of.flatMap((name) => values[name] ?? []);
    const found = differentiate(graph, out, graph.input(UPSTREAM, out.shape), sources);
    for (const name of pass.of) {
      const grad = found.get(values[name]?.id ?? -1);
      if (!grad) throw new Error(`${one.row} has no gradient of ${name}`);
      grads.set(name, grad);
    }
  }
  return { graph, inputs: Object.values(values), outputs, grads };
}

interface Judged {
  readonly check: Check;
  readonly one: AnyBenchCase;
  readonly given: Tensors;
}

/** Compares evenly spaced elements of every output with its definition; a sentence about the worst that differs. */
async function refusedOutputs(program: Program, outputs: readonly Value[], { check, one, given }: Judged) {
  const verdict = new Verdict(one.tolerance);
  const expected = check.expected(given, one.attrs);
  for (const [i, output] of outputs.entries()) {
    const exact = expected[i];
    if (!exact) continue;
    const got = await program.read(output);
    const places = sampled(got.length, SAMPLES);
    verdict.samples(check.op?.updates?.[i] ?? "output", got, places, places.map(exact.at));
  }
  return verdict.problems[0] ?? null;
}

/** The same of gradients, by differences of the definition. */
async function refusedGradients(
  program: Program,
  grads: ReadonlyMap<string, Value>,
  { check, one, given, samples, upstream }: Judged & { readonly samples: number; readonly upstream: Numbers },
): Promise<string | null> {
  const verdict = new Verdict(one.tolerance);
  for (const [input, grad] of grads) {
    const got = await program.read(grad);
    const places = sampled(got.length, samples);
    const slopes = places.map((index) => slopeAt(check, one, { given, input, index, upstream }));
    verdict.samples(input, got, places, slopes);
  }
  return verdict.problems[0] ?? null;
}
