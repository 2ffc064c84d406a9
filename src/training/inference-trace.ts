import type { Program } from "../kernels/compile/program.ts";
import { argmaxLast } from "../kernels/ops/loss/loss.ts";
import { softmax } from "../kernels/ops/reduce/softmax.ts";
import { resizeBilinear } from "../kernels/ops/resize.ts";
import type { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { lastOf } from "../kernels/trace/shape.ts";
import { INPUT } from "../model/keys.ts";
import type { ParameterTable } from "../model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../model/zoo.ts";
import { inferencePasses, type Making } from "./passes.ts";

export interface InferenceOptions extends Making {
  readonly batch: number;
  /** Sides of the input; those of the configuration when left out. */
  readonly height?: number;
  readonly width?: number;
  /** Resize the logits to this size (bilinear, half-pixel centres) before deciding. */
  readonly native?: { readonly height: number; readonly width: number };
  /** Also compute class probabilities. */
  readonly probabilities?: boolean;
  /** Named intermediates of the network that are kept beside, for checks. What is kept cannot be fused away. */
  readonly intermediates?: readonly string[];
}

/** A traced evaluation of a batch: what to feed and what to read. */
export interface InferenceTrace {
  readonly graph: Graph;
  readonly parameters: ParameterTable;
  readonly batch: number;
  /** `[n, h, w]` i32: the class of every pixel. */
  readonly classes: Value;
  /** `[n, h, w, k]`: class probabilities where they were asked for, else the logits. */
  readonly probabilities: Value;
  /** `[n, h, w, k]`. */
  readonly logits: Value;
  /** Those that were asked for and that the network has, by name. */
  readonly intermediates: ReadonlyMap<string, Value>;
  /** All of these: what is read after a run. */
  readonly keep: readonly Value[];
  /** Writes the images `[n, h, w, channels]`, normalised, before a run. */
  feed(program: Program, images: Float32Array): void;
}

/** Traces the evaluation of a batch with all rewrites and fusions. */
export function inferenceTrace(
  config: NetworkConfig,
  options: InferenceOptions & { readonly parameters?: ParameterTable },
): InferenceTrace {
  const { native, probabilities = false, intermediates: names = [], form, precision, ...rest } = options;
  const traced = traceNetwork(config, { mode: "eval", ...rest });
  const { graph } = traced.build;
  const logits = native
    ? graph.apply(resizeBilinear, { x: traced.logits }, { ...native, alignCorners: false })
    : traced.logits;
  const classes = graph.apply(argmaxLast, { x: logits }, {});
  const scores = probabilities ? shares(graph, logits) : logits;
  const intermediates = new Map([...traced.intermediates].filter(([name]) => names.includes(name)));
  const keep = [logits, classes, scores, ...intermediates.values()];
  graph.evaluates = true;
  inferencePasses(graph, keep, { form, precision });
  return {
    graph,
    parameters: traced.build.parameters,
    batch: options.batch,
    classes,
    probabilities: scores,
    logits,
    intermediates,
    keep,
    feed: (program, images) => program.write(INPUT.image, images),
  };
}

/** Softmax over the classes of every pixel. */
function shares(graph: Graph, logits: Value): Value {
  const { shape } = logits;
  const rows = graph.view(logits, [shape.slice(0, -1).reduce((a, b) => a * b, 1), lastOf(shape)]);
  return graph.view(graph.apply(softmax, { x: rows }, {}), shape);
}
