import type { Value } from "../../kernels/trace/op.ts";
import type { Activation } from "../layers/activation.ts";
import type { ConvolutionNames, ConvolutionOptions } from "../layers/convolution.ts";

export interface NormSettings {
  readonly normEps: number;
  readonly normMomentum: number;
}

/** What SvANet's convolutions call their tensors, whether a norm follows or not: as the public checkpoints. */
export const NAMES: ConvolutionNames = { weight: "conv.weight", bias: "conv.bias" };

/** Gives a value back, and keeps it among the network's intermediates by a name. */
export type Tap = (name: string, value: Value) => Value;

/** A convolution that the configured batch norm follows. */
export function normed({ normEps, normMomentum }: NormSettings, activation?: Activation) {
  const norm = { kind: "batch", eps: normEps, momentum: normMomentum } as const;
  return { norm, names: NAMES, activation } satisfies Partial<ConvolutionOptions>;
}

/** A convolution without a norm. */
export function bare(activation?: Activation) {
  return { norm: "none", names: NAMES, activation } as const satisfies Partial<ConvolutionOptions>;
}
