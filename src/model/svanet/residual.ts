import { add } from "../../kernels/ops/arithmetic.ts";
import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activate, convNorm } from "../layers/conv.ts";
import type { NormSettings } from "../layers/norm.ts";

export type ResidualKind = "basic" | "bottleneck";

/** Output channels of a block over its planes. */
export const GROWTH: Readonly<Record<ResidualKind, number>> = { basic: 1, bottleneck: 4 };

export interface ResidualOptions {
  readonly kind: ResidualKind;
  readonly planes: number;
  readonly stride: number;
}

/** One ResNet block; the stride of a bottleneck sits on its 3x3. The shortcut is projected where the shape changes. */
export function residual(build: Build, config: NormSettings, x: Value, options: ResidualOptions): Value {
  const { kind, planes, stride } = options;
  const outer = planes * GROWTH[kind];
  const changes = stride !== 1 || lastOf(x.shape) !== outer;
  const kept = changes ? convNorm(build, config, "skip", x, { outer, stride }) : x;
  const inner = kind === "basic" ? basic(build, config, x, options) : bottleneck(build, config, x, options);
  return activate(build, "relu", build.graph.apply(add, { x: inner, y: kept }, {}));
}

function basic(build: Build, config: NormSettings, x: Value, { planes, stride }: ResidualOptions): Value {
  const first = convNorm(build, config, "first", x, { outer: planes, kernel: 3, stride, act: "relu" });
  return convNorm(build, config, "second", first, { outer: planes, kernel: 3 });
}

function bottleneck(build: Build, config: NormSettings, x: Value, { planes, stride }: ResidualOptions): Value {
  const first = convNorm(build, config, "first", x, { outer: planes, act: "relu" });
  const second = convNorm(build, config, "second", first, { outer: planes, kernel: 3, stride, act: "relu" });
  return convNorm(build, config, "third", second, { outer: planes * GROWTH.bottleneck });
}
