import { lastOf } from "../kernels/trace/shape.ts";
import { ACTIVATIONS } from "./activation.ts";
import type { EpiloguePart } from "./check.ts";
import { at, type Elements, type Tensors } from "./tensor.ts";

/** The input of a case that holds a part of its epilogue. */
export const epilogueInput = (part: string): string => `epilogue ${part}`;

/** What follows the first output while it is stored: `activation(y * scale[channel] + bias[channel] + residual)`. */
export function withEpilogue(
  outputs: readonly Elements[],
  parts: readonly EpiloguePart[],
  given: Tensors,
): readonly Elements[] {
  const [first, ...rest] = outputs;
  if (!first || parts.length === 0) return outputs;
  const channels = lastOf(first.shape);
  const part = (name: "scale" | "bias" | "residual", absent: number) => {
    const data = parts.includes(name) ? given[epilogueInput(name)]?.data : undefined;
    return (index: number) => (data ? at(data, name === "residual" ? index : index % channels) : absent);
  };
  const [scale, bias, residual] = [part("scale", 1), part("bias", 0), part("residual", 0)];
  const stored = (index: number): number => {
    let value = first.at(index) * scale(index) + bias(index) + residual(index);
    for (const name of parts) {
      if (name !== "scale" && name !== "bias" && name !== "residual") value = ACTIVATIONS[name](value);
    }
    return value;
  };
  return [{ shape: first.shape, at: stored }, ...rest];
}
