import { sliceLast } from "../../kernels/ops/layout.ts";
import { adaptiveMaxPool2d } from "../../kernels/ops/pool/pool.ts";
import { reduceMax, reduceSum, weightedSum } from "../../kernels/ops/reduce/reduce.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { joined, product, sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { globalMean } from "../layers/pool.ts";
import { roundChannels } from "./rounding.ts";
import { bare, type NormSettings, normed } from "./style.ts";

/** Attention that can stand in the MCBottleneck and in the AssemFormer. */
export const GATE_KINDS = ["none", "se", "mc", "cbam", "coord"] as const;
export type GateKind = (typeof GATE_KINDS)[number];

export interface GateSettings extends NormSettings {
  readonly gateDivisor: number;
  readonly gateFloor: number;
  readonly mcSizes: readonly number[];
  readonly mcShuffle: boolean;
}

/** Scales the channels (and for some kinds the places) of `x` by what it finds important in it. */
export function gate(build: Build, config: GateSettings, kind: GateKind, x: Value): Value {
  if (kind === "none") return x;
  return build.scope("gate", () => {
    if (kind === "cbam") return blockGate(build, x);
    if (kind === "coord") return coordinateGate(build, config, x);
    return channelGate(build, config, x, kind === "mc");
  });
}

/** A mean of pixels weighted by `weights` `[1, h*w]`, `[n, 1, 1, c]`. */
export function weightedMean(build: Build, weights: Value, x: Value): Value {
  const { n, h, w, c } = nhwc("weighted mean", "x", x.shape);
  const mean = build.graph.apply(weightedSum, { weights, x: build.graph.view(x, [n, h * w, c]) }, {});
  return build.graph.view(mean, [n, 1, 1, c]);
}

/**
 * Squeeze and excitation. Its Monte Carlo form squeezes, in training, one cell of a randomly sized pooling of the
 * shuffled map: a random subset of the pixels, the same for the whole batch.
 */
function channelGate(build: Build, config: GateSettings, x: Value, monteCarlo: boolean): Value {
  const { c } = nhwc("gate", "x", x.shape);
  const hidden = Math.max(roundChannels(Math.floor(c / config.gateDivisor), 8), config.gateFloor);
  const summary = monteCarlo && build.mode === "train" ? subsetMean(build, config, x) : globalMean(build, x);
  const down = convolution(build, "down", summary, { outer: hidden, ...bare("relu") });
  const up = convolution(build, "up", down, { outer: c, ...bare("sigmoid") });
  return product(build, x, up);
}

function subsetMean(build: Build, { mcSizes, mcShuffle }: GateSettings, x: Value): Value {
  const { h, w } = nhwc("gate", "x", x.shape);
  const name = drawName(build.graph.path);
  const [weights] = build.draw({ kind: "subset", name, height: h, width: w, sizes: mcSizes, shuffle: mcShuffle });
  return weights ? weightedMean(build, weights, x) : x;
}

/** Draws are named by the one module they belong to: `neck.0.gate` for the parameters below `necks.0.gate`. */
function drawName(path: string): string {
  return path.replace(/^(neck|guide|link)s\./, "$1.");
}

/** CBAM: a channel gate from mean and maximum, then a 7x7 gate over places. */
function blockGate(build: Build, x: Value): Value {
  const { graph } = build;
  const { c } = nhwc("gate", "x", x.shape);
  const hidden = Math.max(Math.floor(c / 16), 1);
  const score = (pooled: Value): Value => {
    const down = convolution(build, "down", pooled, { outer: hidden, bias: false, ...bare("relu") });
    return convolution(build, "up", down, { outer: c, bias: false, ...bare() });
  };
  const mean = score(globalMean(build, x));
  const peak = score(graph.apply(adaptiveMaxPool2d, { x }, { height: 1, width: 1 }));
  const channels = activated(build, sum(build, mean, peak), "sigmoid");
  const gated = product(build, x, channels);
  const highest = graph.apply(reduceMax, { x: gated }, { axes: [3] });
  const average = graph.apply(reduceSum, { x: gated }, { axes: [3], factor: 1 / c });
  const plan = joined(build, highest, average);
  const places = convolution(build, "place", plan, { outer: 1, kernel: 7, bias: false, ...bare("sigmoid") });
  return product(build, gated, places);
}

/** Coordinate attention: one gate a row and one a column, from a joint 1x1 over row and column means. */
function coordinateGate(build: Build, config: NormSettings, x: Value): Value {
  const { graph } = build;
  const { n, h, w, c } = nhwc("gate", "x", x.shape);
  const hidden = Math.max(Math.floor(c / 32), 8);
  const rows = graph.apply(reduceSum, { x }, { axes: [2], factor: 1 / w });
  const columns = graph.apply(reduceSum, { x }, { axes: [1], factor: 1 / h });
  // Behind each other on one axis: the norm of the joint 1x1 sees both.
  const line = joined(build, graph.view(rows, [n, 1, 1, h * c]), graph.view(columns, [n, 1, 1, w * c]));
  const both = graph.view(line, [n, h + w, 1, c]);
  const joint = convolution(build, "down", both, { outer: hidden, ...normed(config, "hardswish") });
  const cut = (start: number, count: number): Value => {
    const line = graph.view(joint, [n, 1, 1, (h + w) * hidden]);
    return graph.apply(sliceLast, { x: line }, { start: start * hidden, count: count * hidden });
  };
  const score = (name: string, line: Value) => convolution(build, name, line, { outer: c, ...bare("sigmoid") });
  const rowGate = score("rows", graph.view(cut(0, h), [n, h, 1, hidden]));
  const columnGate = score("columns", graph.view(cut(h, w), [n, 1, w, hidden]));
  const byRow = product(build, x, rowGate);
  return product(build, byRow, columnGate);
}
