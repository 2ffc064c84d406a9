import { add, multiply } from "../../kernels/ops/arithmetic.ts";
import { concat, sliceLast } from "../../kernels/ops/layout.ts";
import { adaptiveMaxPool2d } from "../../kernels/ops/pool/pool.ts";
import { reduceMax, reduceSum, weightedSum } from "../../kernels/ops/reduce/reduce.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activate, convBare, convNorm } from "../layers/conv.ts";
import type { NormSettings } from "../layers/norm.ts";
import { roundChannels } from "./rounding.ts";

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

/** The mean over all pixels, `[n, 1, 1, c]`. */
export function globalMean(build: Build, x: Value): Value {
  const { h, w } = nhwc("global mean", "x", x.shape);
  return build.graph.apply(reduceSum, { x }, { axes: [1, 2], factor: 1 / (h * w) });
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
  const down = convBare(build, "down", summary, { outer: hidden, act: "relu" });
  const up = convBare(build, "up", down, { outer: c, act: "sigmoid" });
  return build.graph.apply(multiply, { x, y: up }, {});
}

function subsetMean(build: Build, { mcSizes, mcShuffle }: GateSettings, x: Value): Value {
  const { h, w } = nhwc("gate", "x", x.shape);
  const name = drawName(build.graph.path);
  const [weights] = build.draw({ kind: "subset", name, height: h, width: w, sizes: mcSizes, shuffle: mcShuffle });
  return weights ? weightedMean(build, weights, x) : x;
}

/** Draws are named by the one module they belong to: `neck.0.gate` for the parameters below `necks.0.gate`. */
export function drawName(path: string): string {
  return path.replace(/^(neck|guide|link)s\./, "$1.");
}

/** CBAM: a channel gate from mean and maximum, then a 7x7 gate over places. */
function blockGate(build: Build, x: Value): Value {
  const { graph } = build;
  const { c } = nhwc("gate", "x", x.shape);
  const hidden = Math.max(Math.floor(c / 16), 1);
  const score = (pooled: Value): Value => {
    const down = convBare(build, "down", pooled, { outer: hidden, bias: false, act: "relu" });
    return convBare(build, "up", down, { outer: c, bias: false });
  };
  const mean = score(globalMean(build, x));
  const peak = score(graph.apply(adaptiveMaxPool2d, { x }, { height: 1, width: 1 }));
  const channels = activate(build, "sigmoid", graph.apply(add, { x: mean, y: peak }, {}));
  const gated = graph.apply(multiply, { x, y: channels }, {});
  const highest = graph.apply(reduceMax, { x: gated }, { axes: [3] });
  const average = graph.apply(reduceSum, { x: gated }, { axes: [3], factor: 1 / c });
  const plan = graph.apply(concat(2), { x0: highest, x1: average }, {});
  const places = convBare(build, "place", plan, { outer: 1, kernel: 7, bias: false, act: "sigmoid" });
  return graph.apply(multiply, { x: gated, y: places }, {});
}

/** Coordinate attention: one gate a row and one a column, from a joint 1x1 over row and column means. */
function coordinateGate(build: Build, config: NormSettings, x: Value): Value {
  const { graph } = build;
  const { n, h, w, c } = nhwc("gate", "x", x.shape);
  const hidden = Math.max(Math.floor(c / 32), 8);
  const rows = graph.apply(reduceSum, { x }, { axes: [2], factor: 1 / w });
  const columns = graph.apply(reduceSum, { x }, { axes: [1], factor: 1 / h });
  // Behind each other on one axis: the norm of the joint 1x1 sees both.
  const flat = { x0: graph.view(rows, [n, 1, 1, h * c]), x1: graph.view(columns, [n, 1, 1, w * c]) };
  const both = graph.view(graph.apply(concat(2), flat, {}), [n, h + w, 1, c]);
  const joint = convNorm(build, config, "down", both, { outer: hidden, act: "hardswish" });
  const cut = (start: number, count: number): Value => {
    const line = graph.view(joint, [n, 1, 1, (h + w) * hidden]);
    return graph.apply(sliceLast, { x: line }, { start: start * hidden, count: count * hidden });
  };
  const rowGate = convBare(build, "rows", graph.view(cut(0, h), [n, h, 1, hidden]), { outer: c, act: "sigmoid" });
  const columnGate = convBare(build, "columns", graph.view(cut(h, w), [n, 1, w, hidden]), { outer: c, act: "sigmoid" });
  const byRow = graph.apply(multiply, { x, y: rowGate }, {});
  return graph.apply(multiply, { x: byRow, y: columnGate }, {});
}
