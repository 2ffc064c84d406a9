import { type Shape, sizeOf } from "../../kernels/trace/shape.ts";
import { type Initialiser, uniformByFan } from "../parameters.ts";

/**
 * What a layer's first weights are drawn from: PyTorch's default; a normal distribution of the variance that keeps a
 * ReLU network's signal, by inputs or by outputs; Xavier's uniform one; or a normal one of that deviation.
 */
export type Start = "framework" | "he-in" | "he-out" | "xavier" | { readonly deviation: number };

/** Slope of negative values that "he-in" is made for: nnU-Net's. */
const LEAK = 0.01;

const ZERO: Initialiser = { kind: "constant", value: 0 };

/** `shape` is the weight's, in PyTorch's order. */
export function weightStart(start: Start, shape: Shape): Initialiser {
  if (start === "framework") return uniformByFan(shape);
  if (typeof start === "object") return { kind: "normal", deviation: start.deviation };
  const inputs = sizeOf(shape.slice(1));
  const outputs = sizeOf(shape) / (shape[1] ?? 1);
  if (start === "xavier") return { kind: "uniform", bound: Math.sqrt(6 / (inputs + outputs)) };
  const [fan, gain] = start === "he-in" ? [inputs, 2 / (1 + LEAK ** 2)] : [outputs, 2];
  return { kind: "normal", deviation: Math.sqrt(gain / fan) };
}

/** Of the bias that goes with a weight of `shape`: zero where the publications say so, else PyTorch's default. */
export function biasStart(start: Start, shape: Shape): Initialiser {
  return start === "he-in" || start === "xavier" ? ZERO : uniformByFan(shape);
}
