import type { Value } from "../../kernels/trace/op.ts";
import type { Build } from "../build.ts";
import { type CommonConfig, classHead, type NetworkDefinition, requireCommon, requireWhole } from "../definition.ts";
import { joined } from "../layers/combine.ts";
import { classifier, convolution, convolutions } from "../layers/convolution.ts";
import { framed } from "../layers/frame.ts";
import { halved } from "../layers/pool.ts";
import { grow } from "../layers/resize.ts";

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
  const option = { outer, kernel: 3, bias: true, activation: "relu" } as const;
  return convolutions(build, name, x, [option, option]);
}

function run(build: Build, { base, depth, classes }: UnetConfig, image: Value): Value {
  const levels: Value[] = [];
  let x = image;
  for (let i = 0; i < depth; i++) {
    x = pair(build, `enc.${i}`, i === 0 ? x : halved(build, x), base * 2 ** i);
    levels.push(x);
  }
  for (const [i, skip] of levels.slice(0, -1).reverse().entries()) {
    const outer = base * 2 ** (depth - 2 - i);
    const raised = convolution(build, `up.${i}`, grow(build, x, 2, "nearest"), {
      outer,
      kernel: 3,
      bias: true,
      activation: "relu",
    });
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
