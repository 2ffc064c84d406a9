import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import type { Start } from "../layers/initialiser.ts";
import { BATCH_NORM, type Norm } from "../layers/norm.ts";
import { pooledStem } from "../layers/pool.ts";
import type { EncoderLevels } from "../parameters.ts";

interface BottleneckOptions {
  readonly planes: number;
  readonly stride?: number;
  /** Of the 3x3. */
  readonly dilation?: number;
  readonly start?: Start;
  readonly norm?: Norm;
}

/** 1x1, 3x3 (with the stride), 1x1 to four times the planes, added to the input or its 1x1 projection. */
export function bottleneck(build: Build, x: Value, options: BottleneckOptions): Value {
  const { planes, stride = 1, dilation = 1, start = "he-out", norm = BATCH_NORM } = options;
  const outer = 4 * planes;
  const relu = { activation: "relu", start, norm } as const;
  const first = convolution(build, "a", x, { outer: planes, ...relu });
  const second = convolution(build, "b", first, { outer: planes, kernel: 3, stride, dilation, ...relu });
  const third = convolution(build, "c", second, { outer, start, norm });
  const changes = stride !== 1 || lastOf(x.shape) !== outer;
  const kept = changes ? convolution(build, "skip", x, { outer, stride, start, norm }) : x;
  return activated(build, sum(build, third, kept), "relu");
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
    const relu = { activation: "relu", start: "he-out" } as const;
    const stem = convolution(build, "stem", image, { outer: width, kernel: 7, stride: 2, ...relu });
    const pooled = pooledStem(build, stem);
    const features = stages(pooled, blocks, (x, { stage, index, stride }) => {
      const dilation = dilationOf(dilated, stage, index);
      const options = { planes: width * 2 ** stage, stride: dilated && stage > 1 ? 1 : stride, dilation };
      return build.scope(`stage.${stage}.${index}`, () => bottleneck(build, x, options));
    });
    return [stem, pooled, ...features];
  });
}
