import { maxPool2d } from "../../kernels/ops/pool/pool.ts";
import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { classifier, framed, grow, joined, unit, units } from "../layers/unit.ts";

/** The common U-Net with batch norm, same padding and up-convolutions. */
export interface UnetConfig extends CommonConfig {
  readonly kind: "unet";
  /** Channels at full size; every level below has twice as many. */
  readonly base: number;
  readonly depth: number;
}

export const UNET: UnetConfig = { kind: "unet", classes: 8, height: 512, width: 512, base: 64, depth: 5 };

/** Two 3x3 convolutions with bias, norm and ReLU. */
export function pair(build: Build, name: string, x: Value, outer: number): Value {
  const option = { outer, kernel: 3, bias: true, act: "relu" } as const;
  return units(build, name, x, [option, option]);
}

const HALVED = { kernel: 2, stride: 2, padding: 0 } as const;

export const halved = (build: Build, x: Value): Value => build.graph.apply(maxPool2d, { x }, HALVED);

function run(build: Build, { base, depth, classes }: UnetConfig, image: Value): Value {
  const levels: Value[] = [];
  let x = image;
  for (let i = 0; i < depth; i++) {
    x = pair(build, `enc.${i}`, i === 0 ? x : halved(build, x), base * 2 ** i);
    levels.push(x);
  }
  for (const [i, skip] of levels.slice(0, -1).reverse().entries()) {
    const outer = base * 2 ** (depth - 2 - i);
    const raised = unit(build, `up.${i}`, grow(build, x, 2, "nearest"), { outer, kernel: 3, bias: true, act: "relu" });
    x = pair(build, `dec.${i}`, joined(build, skip, raised), outer);
  }
  return classifier(build, "head", x, classes);
}

export const unet: NetworkDefinition<UnetConfig> = {
  trace: (build, config, image) =>
    framed(build, image, 2 ** (config.depth - 1), (x) => [classHead("head", run(build, config, x))]),
  checked(config) {
    requireCommon(config);
    requireWhole({ base: config.base, depth: config.depth });
    return config;
  },
  levels: ({ depth }) => Array.from({ length: depth }, (_, i) => [`enc.${i}`]),
  scaled: (config, base) => ({ ...config, base }),
};
