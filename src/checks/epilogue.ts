import { lastOf } from "../kernels/trace/shape.ts";
import { ACTIVATIONS } from "./activation.ts";
import { type EpiloguePart, isActivationPart } from "./check.ts";
import { at, type Elements, type Tensors } from "./tensor.ts";

/** The input of a case that holds a part of its epilogue. */
export const epilogueInput = (part: string): string => `epilogue ${part}`;

/** Half the distance of a central difference, whose error is near 1e-10 here. */
const APART = 1e-5;
const slopeOfSilu = (x: number): number => (ACTIVATIONS.silu(x + APART) - ACTIVATIONS.silu(x - APART)) / (2 * APART);

/**
 * What follows the first output while it is stored: `activation(y * scale[channel] + bias[channel] + residual)`, or that sum
 * times the slope at what was saved.
 */
export function withEpilogue(
  outputs: readonly Elements[],
  parts: readonly EpiloguePart[],
  given: Tensors,
): readonly Elements[] {
  const [first, ...rest] = outputs;
  if (!first || parts.length === 0) return outputs;
  const channels = lastOf(first.shape);
  const part = (name: "scale" | "bias" | "residual" | "slope", absent: number) => {
    const data = parts.includes(name) ? given[epilogueInput(name)]?.data : undefined;
    const whole = name === "residual" || name === "slope";
    return (index: number) => (data ? at(data, whole ? index : index % channels) : absent);
  };
  const [scale, bias, residual, saved] = [part("scale", 1), part("bias", 0), part("residual", 0), part("slope", 0)];
  const stored = (index: number): number => {
    const sum = first.at(index) * scale(index) + bias(index) + residual(index);
    if (parts.includes("slope")) return sum * slopeOfSilu(saved(index));
    const activation = parts.find(isActivationPart);
    return activation ? ACTIVATIONS[activation](sum) : sum;
  };
  return [{ shape: first.shape, at: stored }, ...rest];
}
