import type { Value } from "../../kernels/trace/op.ts";
import { lastOf } from "../../kernels/trace/shape.ts";
import type { Build } from "../build.ts";
import { activated } from "../layers/activation.ts";
import { sum } from "../layers/combine.ts";
import { convolution } from "../layers/convolution.ts";
import { type NormSettings, normed } from "./style.ts";

type ResidualKind = "basic" | "bottleneck";

/** Output channels of a block over its planes. */
const GROWTH: Readonly<Record<ResidualKind, number>> = { basic: 1, bottleneck: 4 };

interface ResidualOptions {
  readonly kind: ResidualKind;
  readonly planes: number;
  readonly stride: number;
}

/** One ResNet block; the stride of a bottleneck sits on its 3x3. The shortcut is projected where the shape changes. */
export function residual(build: Build, config: NormSettings, x: Value, options: ResidualOptions): Value {
  const { kind, planes, stride } = options;
  const outer = planes * GROWTH[kind];
  const changes = stride !== 1 || lastOf(x.shape) !== outer;
  const kept = changes ? convolution(build, "skip", x, { outer, stride, ...normed(config) }) : x;
  const inner = kind === "basic" ? basic(build, config, x, options) : bottleneck(build, config, x, options);
  return activated(build, sum(build, inner, kept), "relu");
}

function basic(build: Build, config: NormSettings, x: Value, { planes, stride }: ResidualOptions): Value {
  const first = convolution(build, "first", x, { outer: planes, kernel: 3, stride, ...normed(config, "relu") });
  return convolution(build, "second", first, { outer: planes, kernel: 3, ...normed(config) });
}

function bottleneck(build: Build, config: NormSettings, x: Value, { planes, stride }: ResidualOptions): Value {
  const first = convolution(build, "first", x, { outer: planes, ...normed(config, "relu") });
  const second = convolution(build, "second", first, { outer: planes, kernel: 3, stride, ...normed(config, "relu") });
  return convolution(build, "third", second, { outer: planes * GROWTH.bottleneck, ...normed(config) });
}
