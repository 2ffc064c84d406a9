import { ShapeError, UsageError } from "../../errors.ts";
import type { Graph, Step } from "../../kernels/trace/graph.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Message } from "../../protobuf.ts";
import { Emitter } from "./emitter.ts";
import { exporterOf } from "./exporters.ts";
import { model, port } from "./model.ts";

/** A network's evaluation on a batch, as traced: the image `[n, h, w, c]` and the results by name. */
interface TracedNetwork {
  readonly graph: Graph;
  readonly image: Value;
  readonly outputs: ReadonlyMap<string, Value>;
}

interface OnnxOptions {
  /** Traces the network on so many images; called twice, since what grows with the batch is seen by comparing. */
  readonly trace: (batch: number) => TracedNetwork;
  /** A weight's or statistic's numbers as stored (channels last), by the key of its storage. */
  readonly state: (key: string) => Float32Array;
  /** Stands in the file as producer version. */
  readonly version: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The network as an ONNX model (opset 17): input `image` `[batch, channels, height, width]`, outputs by name with
 * channels as axis 1, any batch. Weights keep their PyTorch names and shapes. Throws UsageError that names an op
 * which has no counterpart.
 */
export function exportOnnx({ trace, state, version, metadata }: OnnxOptions): Message {
  const [traced, other] = [trace(2), trace(3)];
  const { graph, image, outputs } = traced;
  const e = new Emitter(growingAxes(graph, other.graph));
  e.define(image, { name: "image", order: "first" });
  for (const [key, value] of graph.resident) e.defineState(value, key.replace(/^\w+:/, ""), state(key));
  for (const step of needed(graph, outputs.values())) exportStep(e, step);
  e.path = "";
  const ports = [...outputs].map(([name, value]) => {
    const result = value.shape.length === 4 ? e.first(value) : e.plain(value);
    e.alias(result, name);
    return port(name, ["batch", ...portShape(value).slice(1)]);
  });
  return model({
    nodes: e.nodes,
    constants: e.constants,
    inputs: [port("image", ["batch", ...portShape(image).slice(1)])],
    outputs: ports,
    version,
    metadata,
  });
}

function portShape({ shape }: Value): readonly number[] {
  const [n = 1, h = 1, w = 1, c = 1] = shape;
  return shape.length === 4 ? [n, c, h, w] : shape;
}

/** The steps that the results depend on: heads that only training reads are left out. */
function needed(graph: Graph, results: Iterable<Value>): Step[] {
  const wanted = new Set([...results].map(({ id }) => id));
  const steps: Step[] = [];
  for (const step of [...graph.steps].reverse()) {
    if (!step.outputs.some(({ id }) => wanted.has(id))) continue;
    for (const { id } of Object.values(step.inputs)) wanted.add(id);
    steps.unshift(step);
  }
  return steps;
}

function exportStep(e: Emitter, { op, inputs, attrs, outputs, path }: Step): void {
  const [out] = outputs;
  const exporter = exporterOf(op.name);
  if (!exporter || !out) throw new UsageError(`the op ${op.name} (in ${path}) cannot be written as ONNX`);
  e.path = path;
  e.define(out, exporter({ e, inputs, attrs, out }));
}

/** Which axes of each value of `one` differ in the trace of another batch. */
function growingAxes(one: Graph, other: Graph): Map<number, readonly boolean[]> {
  if (one.steps.length !== other.steps.length) throw new ShapeError("ONNX: the network's steps depend on the batch");
  const grows = new Map<number, readonly boolean[]>();
  for (const [i, { outputs, op, attrs }] of one.steps.entries()) {
    const twin = other.steps[i];
    if (twin?.op.name !== op.name || JSON.stringify(twin.attrs) !== JSON.stringify(attrs)) {
      throw new ShapeError(`ONNX: the op ${op.name} depends on the batch`);
    }
    for (const [j, { id, shape }] of outputs.entries()) {
      grows.set(
        id,
        shape.map((extent, axis) => extent !== twin.outputs[j]?.shape[axis]),
      );
    }
  }
  return grows;
}
