import { ACTIVATIONS } from "../../shader/activation.ts";
import { read, type TensorUse } from "../../shader/shader.ts";
import type { Prologue } from "./contraction.ts";

/*
 * A prologue as text, for kernels that read `x` four channels at a time and whose lanes keep theirs: what it takes of a
 * channel is read once, before the loop. The same numbers in the same order as normaliseChannels.
 */

export function prologueTensors({ norm }: Prologue): { readonly [name: string]: TensorUse } {
  if (!norm) return {};
  return {
    statistics: read(norm.statistics, true),
    weight: read(norm.weight, true),
    bias: read(norm.bias, true),
  };
}

/**
 * `norm_at(quad)`, what is taken of a quad of channels, and `made(value, norm)`, what is made of one that was read.
 * `args.channels` and `args.eps` are there.
 */
export function prologueText({ norm, activation }: Prologue): string {
  const normed = norm ? "(value - norm.centre - norm.low) * norm.factor + norm.shift" : "value";
  return `alias T = vec4f;
${activation ? ACTIVATIONS[activation].wgsl : ""}
${
  norm
    ? `struct Norm { centre: vec4f, low: vec4f, factor: vec4f, shift: vec4f }
fn norm_at(quad: u32) -> Norm {
  let width = args.channels / 4u;
  let rate = vec4f(1.0) / sqrt(statistics_at(width + quad) + args.eps);
  return Norm(statistics_at(quad), statistics_at(2u * width + quad), rate * weight_at(quad), bias_at(quad));
}`
    : `struct Norm { none: u32 }
fn norm_at(quad: u32) -> Norm { return Norm(0u); }`
}
fn made(value: vec4f, norm: Norm) -> vec4f { return ${activation ? `${activation}(${normed})` : normed}; }`;
}
