import type { ACTIVATIONS as TEXTS } from "../kernels/shader/activation.ts";

/** The error function: its Maclaurin series, and from 2 on the continued fraction of its complement. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a >= 2) {
    let fraction = a;
    for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
  }
  let [term, total] = [x, x];
  for (let n = 1; n < 40; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The activations by definition. */
export const ACTIVATIONS: { readonly [name in keyof typeof TEXTS]: (x: number) => number } = {
  relu: (x) => Math.max(x, 0),
  sigmoid,
  silu: (x) => x * sigmoid(x),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  geluTanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  hardswish: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
};
