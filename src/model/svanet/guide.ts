import { ShapeError } from "../../errors.ts";
import { scale } from "../../kernels/ops/arithmetic.ts";
import { adaptiveAveragePool2d, adaptiveMaxPool2d } from "../../kernels/ops/pool/pool.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { nhwc } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { product, sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { globalMean } from "../layers/pool.ts";
import type { SvanetConfig } from "./config.ts";
import { weightedMean } from "./gates.ts";
import { bare, normed, type Tap } from "./style.ts";

/** A way from branch `source` to branch `target`, counted from 0. */
interface Route {
  readonly source: number;
  readonly target: number;
  /** Channels of the target branch. */
  readonly outer: number;
  /** Sides of the network's input. */
  readonly height: number;
  readonly width: number;
}

/** A chain of stride-2 blocks from one branch to a coarser one, gated by SvAttn; in training whole samples are dropped. */
export function guide(build: Build, config: SvanetConfig, route: Route, x: Value, tap: Tap): Value {
  const { source, target } = route;
  return build.scope(`guides.${source}-${target}`, () => {
    const maps = chain(build, config, route, x);
    const last = tap(`guide.${source}-${target}.ungated`, maps[maps.length - 1] ?? x);
    const gated = config.svMode === "none" ? last : scaleVariantGate(build, config, route, maps);
    const drop = (config.guideDrop * source) / 4;
    if (build.mode === "eval" || drop === 0) return gated;
    const [n = 1] = x.shape;
    const [keep] = build.draw({ kind: "keep", name: `guide.${source}-${target}.keep`, shape: [n, 1, 1, 1], drop });
    return keep ? product(build, gated, keep) : gated;
  });
}

/** The source map and each block's output. All blocks but the last keep the source's width. */
function chain(build: Build, config: SvanetConfig, { source, target, outer }: Route, x: Value): Value[] {
  const { c: inner } = nhwc("guide", "x", x.shape);
  const steps = target - source;
  const maps = [x];
  let current = x;
  for (let i = 0; i < steps; i++) {
    const width = i === steps - 1 ? outer : inner;
    current = build.scope(`steps.${i}`, () => pair(build, config, current, width, config.guideBlock === "3x3"));
    maps.push(current);
  }
  return maps;
}

function pair(build: Build, config: SvanetConfig, x: Value, outer: number, single: boolean): Value {
  const spatial = convolution(build, "spatial", x, { outer, kernel: 3, stride: 2, ...normed(config, "relu") });
  return single ? spatial : convolution(build, "mix", spatial, { outer, ...normed(config, "relu") });
}

function scaleVariantGate(build: Build, config: SvanetConfig, route: Route, maps: readonly Value[]): Value {
  const x = maps[maps.length - 1];
  if (!x) throw new ShapeError("a guide needs at least one map");
  return product(build, x, activated(build, summary(build, config, route, maps), "sigmoid"));
}

/** One `[n, 1, 1, outer]` logit a channel, from all maps of the chain. */
function summary(build: Build, config: SvanetConfig, route: Route, maps: readonly Value[]): Value {
  const { graph } = build;
  const probe = (x: Value, i: number): Value => convolution(build, `probes.${i}`, x, { outer: route.outer, ...bare() });
  if (config.svMode === "source") return maps.slice(0, 1).map((x, i) => probe(globalMean(build, x), i))[0] ?? never();
  if (config.svMode === "scale") return regionSummary(build, config, route, maps, probe);
  const pool = (x: Value): Value =>
    config.svMode === "mean" ? globalMean(build, x) : graph.apply(adaptiveMaxPool2d, { x }, { height: 1, width: 1 });
  const total = sum(build, ...maps.map((x, i) => probe(pool(x), i)));
  const summed = build.mode === "train" && !config.svAverageInTraining;
  return summed ? total : graph.apply(scale, { x: total }, { factor: 1 / maps.length });
}

/** Cells of the grid on which maps of different scale are compared. */
function gridOf({ svDivisor, svFloor }: SvanetConfig, target: number, side: number): number {
  return Math.max(Math.floor(Math.floor(side / 2 ** (target + 1)) / svDivisor), svFloor);
}

/** In training each cell counts for the one map that owns it; in evaluation for all maps evenly. */
function regionSummary(
  build: Build,
  config: SvanetConfig,
  { source, target, height, width }: Route,
  maps: readonly Value[],
  probe: (x: Value, i: number) => Value,
): Value {
  const { graph } = build;
  const grid = { height: gridOf(config, target, height), width: gridOf(config, target, width) };
  const cells = grid.height * grid.width;
  const stored = gridOf(config, target, config.height) * gridOf(config, target, config.width);
  const regions = build.region("regions", stored, maps.length);
  const pooled = maps.map((x, i) => probe(graph.apply(adaptiveAveragePool2d, { x }, grid), i));
  if (build.mode === "eval") {
    const means = sum(build, ...pooled.map((x) => globalMean(build, x)));
    return graph.apply(scale, { x: means }, { factor: 1 / maps.length });
  }
  if (stored !== cells) {
    throw new ShapeError(
      `guide ${source}-${target} has regions for ${config.height}x${config.width} images and cannot be trained at ` +
        `${height}x${width}`,
    );
  }
  const name = `guide.${source}-${target}`;
  const owned = build.draw({ kind: "owners", name, cells, maps: maps.length, regions });
  return sum(build, ...pooled.map((x, i) => weightedMean(build, owned[i] ?? never(), x)));
}

function never(): never {
  throw new ShapeError("a guide needs one probe and one draw for each map");
}
