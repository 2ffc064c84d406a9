import { add } from "../../kernels/ops/arithmetic.ts";
import { maxPool2d } from "../../kernels/ops/pool/pool.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated, type UnitOptions, unit } from "../layers/unit.ts";
import type { EncoderLevels } from "../parameters.ts";

export interface BottleneckOptions {
  readonly planes: number;
  readonly stride?: number;
  /** Of the 3x3. */
  readonly dilation?: number;
  readonly start?: UnitOptions["start"];
  readonly momentum?: number;
}

/** 1x1, 3x3 (with the stride), 1x1 to four times the planes, added to the input or its 1x1 projection. */
export function bottleneck(build: Build, x: Value, options: BottleneckOptions): Value {
  const { planes, stride = 1, dilation = 1, start = "he-out", momentum = 0.1 } = options;
  const outer = 4 * planes;
  const norm = { start, momentum };
  const first = unit(build, "a", x, { outer: planes, act: "relu", ...norm });
  const second = unit(build, "b", first, { outer: planes, kernel: 3, stride, dilation, act: "relu", ...norm });
  const third = unit(build, "c", second, { outer, ...norm });
  const changes = stride !== 1 || lastOf(x.shape) !== outer;
  const kept = changes ? unit(build, "skip", x, { outer, stride, ...norm }) : x;
  return activated(build, build.graph.apply(add, { x: third, y: kept }, {}), "relu");
}

/** Depth levels of an encoder of {@link stages}: the stem, then each stage. */
export function encoderLevels(blocks: readonly number[]): EncoderLevels {
  return [["encoder.stem"], ...blocks.map((_, stage) => [`encoder.stage.${stage}`])];
}

/** Walks the stages of an encoder: the first block of every stage but the first halves the size. */
export function stages(
  pooled: Value,
  blocks: readonly number[],
  block: (x: Value, at: { readonly stage: number; readonly index: number; readonly stride: number }) => Value,
): Value[] {
  const out: Value[] = [];
  let x = pooled;
  for (const [stage, count] of blocks.entries()) {
    for (let index = 0; index < count; index++) {
      x = block(x, { stage, index, stride: stage > 0 && index === 0 ? 2 : 1 });
    }
    out.push(x);
  }
  return out;
}

/**
 * The dilation of a block that keeps the resolution of 1/8: the last two stages look 2 and 4 pixels far instead of
 * halving the map. torchvision's first block of a stage still looks as far as the stage before.
 */
export type Dilated = "whole stages" | "behind the first block";

function dilationOf(dilated: Dilated | undefined, stage: number, index: number): number {
  const own = Math.max(1, 2 ** (stage - 1));
  if (!dilated || stage < 2) return 1;
  return dilated === "behind the first block" && index === 0 ? own / 2 : own;
}

/**
 * ResNet with bottlenecks, 7x7 stem and the stride on the 3x3, as torchvision's: stem (stride 2), pooled stem (4), then
 * one output a stage (4, 8, 16, 32).
 */
export function resnet(
  build: Build,
  image: Value,
  width: number,
  blocks: readonly number[],
  dilated?: Dilated,
): Value[] {
  return build.scope("encoder", () => {
    const stem = unit(build, "stem", image, { outer: width, kernel: 7, stride: 2, act: "relu", start: "he-out" });
    const pooled = build.graph.apply(maxPool2d, { x: stem }, { kernel: 3, stride: 2, padding: 1 });
    const features = stages(pooled, blocks, (x, { stage, index, stride }) => {
      const dilation = dilationOf(dilated, stage, index);
      const options = { planes: width * 2 ** stage, stride: dilated && stage > 1 ? 1 : stride, dilation };
      return build.scope(`stage.${stage}.${index}`, () => bottleneck(build, x, options));
    });
    return [stem, pooled, ...features];
  });
}
