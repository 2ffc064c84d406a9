import type { Value } from "../../kernels/op.ts";
import { add } from "../../kernels/ops/arithmetic.ts";
import { maxPool2d } from "../../kernels/ops/pool.ts";
import { lastOf } from "../../kernels/shape.ts";
import type { Build } from "../build.ts";
import { activated, type UnitOptions, unit } from "../layers/unit.ts";

export interface BottleneckOptions {
  readonly planes: number;
  readonly stride?: number;
  readonly start?: UnitOptions["start"];
  readonly momentum?: number;
}

/** 1x1, 3x3 (with the stride), 1x1 to four times the planes, added to the input or its 1x1 projection. */
export function bottleneck(build: Build, x: Value, options: BottleneckOptions): Value {
  const { planes, stride = 1, start = "he-out", momentum = 0.1 } = options;
  const outer = 4 * planes;
  const norm = { start, momentum };
  const first = unit(build, "a", x, { outer: planes, act: "relu", ...norm });
  const second = unit(build, "b", first, { outer: planes, kernel: 3, stride, act: "relu", ...norm });
  const third = unit(build, "c", second, { outer, ...norm });
  const changes = stride !== 1 || lastOf(x.shape) !== outer;
  const kept = changes ? unit(build, "skip", x, { outer, stride, ...norm }) : x;
  return activated(build, build.graph.apply(add, { x: third, y: kept }, {}), "relu");
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
 * ResNet with bottlenecks, 7x7 stem and the stride on the 3x3, as torchvision's: stem (stride 2), pooled stem (4), then
 * one output a stage (4, 8, 16, 32).
 */
export function resnet(build: Build, image: Value, width: number, blocks: readonly number[]): Value[] {
  return build.scope("encoder", () => {
    const stem = unit(build, "stem", image, { outer: width, kernel: 7, stride: 2, act: "relu", start: "he-out" });
    const pooled = build.graph.apply(maxPool2d, { x: stem }, { kernel: 3, stride: 2, padding: 1 });
    const features = stages(pooled, blocks, (x, { stage, index, stride }) =>
      build.scope(`stage.${stage}.${index}`, () => bottleneck(build, x, { planes: width * 2 ** stage, stride })),
    );
    return [stem, pooled, ...features];
  });
}
