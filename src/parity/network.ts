import { differentiate } from "../autograd/differentiate.ts";
import type { Program } from "../kernels/compile/program.ts";
import type { StateStore } from "../kernels/compile/state.ts";
import type { Device } from "../kernels/device/device.ts";
import { updateRunning } from "../kernels/ops/norm/norm.ts";
import type { Value } from "../kernels/trace/op.ts";
import { fromChannelsLast, type Shape } from "../kernels/trace/shape.ts";
import type { Parameter, ParameterTable } from "../model/parameters.ts";
import { type NetworkConfig, type Traced, traceNetwork } from "../model/zoo.ts";
import type { FixtureFile, FixtureTensor } from "./fixture.ts";
import type { FileReport } from "./report.ts";
import { gradientTolerance, TOLERANCE, type Tolerance } from "./tolerance.ts";

/** What the passes over one golden file of a network share. */
export interface NetworkSession {
  readonly device: Device;
  readonly file: FixtureFile;
  readonly report: FileReport;
  readonly config: NetworkConfig;
  readonly parameters: ParameterTable;
  readonly store: StateStore;
  /** `[n, 3, h, w]`. */
  readonly image: FixtureTensor;
  /** How the names of running statistics begin in the file, before and after the pass. */
  readonly statistics: { readonly before: string; readonly after: string };
}

/** Traces once for the names, then loads what the file holds under each. */
export async function loadNetwork(given: Omit<NetworkSession, "parameters">): Promise<NetworkSession> {
  const { file, config, image, store, statistics } = given;
  const [batch = 1, , height = 0, width = 0] = image.shape;
  const { parameters } = traceNetwork(config, { mode: "train", batch, height, width }).build;
  const prefixes = { weight: "param.", statistic: statistics.before };
  for (const kind of ["weight", "statistic"] as const) {
    await store.allocate(kind, parameters.storage(kind));
    for (const { name } of parameters.list(kind)) {
      const { data } = file.takeFloat(`${prefixes[kind]}${name}`);
      for (const [key, values] of parameters.toStorage(name, data)) store.write(key, values);
    }
  }
  return { ...given, parameters };
}

/** The trace of a pass over the file's image. */
export function traced({ config, image, parameters }: NetworkSession, mode: "train" | "eval"): Traced {
  const [batch = 1, , height = 0, width = 0] = image.shape;
  return traceNetwork(config, { mode, batch, height, width, parameters });
}

/** A golden tensor `[n, c, h, w]` against a kept one `[n, h, w, c]`. */
export async function compareMap(
  { file, report }: NetworkSession,
  program: Program,
  value: Value,
  name: string,
  tolerance: Tolerance,
): Promise<void> {
  const [n = 1, h = 1, w = 1, c = 1] = value.shape;
  const shape: Shape = [n, c, h, w];
  const data = fromChannelsLast(await program.read(value), shape);
  report.compare(name.split(".", 1)[0] ?? name, file.takeFloat(name), { shape, data }, tolerance);
}

/** Adds the gradients of `loss` to a trace, by storage key; parameters the loss does not reach have none. */
export function gradientsByKey({ graph }: Traced["build"], loss: Value, parameters: ParameterTable) {
  const weights = parameters.storage("weight").map(({ key, shape }) => [key, graph.state(key, shape)] as const);
  const wanted = weights.map(([, value]) => value);
  const grads = differentiate(graph, loss, graph.input("seed", [1]), wanted);
  return new Map(
    weights.flatMap(([key, value]) => {
      const grad = grads.get(value.id);
      return grad ? [[key, grad] as const] : [];
    }),
  );
}

/** Adds what moves the running statistics to a trace. Inputs: `control`. */
export function moveStatistics({ graph, statistics }: Traced["build"]): void {
  const control = graph.input("control", [4], "u32");
  for (const { mean, variance, batch, momentum, count } of statistics) {
    graph.update(updateRunning, { mean, variance, statistics: batch, control }, { momentum, count });
  }
}

/** Every gradient of the file; where the network has none the golden one must be zero. */
export async function compareGradients(
  session: NetworkSession,
  program: Program,
  grads: ReadonlyMap<string, Value>,
): Promise<void> {
  const { file, report, parameters } = session;
  const golden = file.takeAll("grad.");
  let largest = 0;
  for (const { data } of golden.values()) for (const value of data) largest = Math.max(largest, Math.abs(value));
  const read = await program.readAll([...grads.values()]);
  const parts = new Map([...grads.keys()].map((key, i) => [key, new Float32Array(read[i] ?? new ArrayBuffer(0))]));
  for (const { key, shape } of parameters.storage("weight")) {
    if (!parts.has(key)) parts.set(key, new Float32Array(shape.reduce((size, extent) => size * extent, 1)));
  }
  const tolerance = gradientTolerance(largest);
  for (const entry of parameters.list("weight")) compareParameter(session, entry, "grad.", parts, tolerance);
  for (const name of golden.keys()) {
    if (!parameters.has(name)) report.fail("grad", `grad.${name}`, "the network has no such parameter");
  }
}

export function compareParameter(
  { file, report, parameters }: NetworkSession,
  { name, shape }: Parameter,
  prefix: string,
  parts: ReadonlyMap<string, Float32Array>,
  tolerance: Tolerance,
): void {
  const data = parameters.fromStorage(name, (key) => parts.get(key));
  report.compare(prefix.slice(0, -1), file.takeFloat(`${prefix}${name}`), { shape, data }, tolerance);
}

/** Running statistics after the pass, where the file has them. */
export async function compareStatistics(session: NetworkSession): Promise<void> {
  const { file, report, store, parameters, statistics } = session;
  if (file.names(statistics.after).length === 0) return;
  await report.inCase(statistics.after.slice(0, -1), async () => {
    const after = await store.readArena("statistic");
    for (const entry of parameters.list("statistic")) {
      compareParameter(session, entry, statistics.after, after, TOLERANCE.statistics);
    }
  });
}
