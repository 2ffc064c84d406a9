/**
 * Activations as WGSL over T (f32 or vec4f), shared by the pointwise ops and by fused epilogues: `wgsl` declares `<name>(x)`,
 * `slope` declares `<name>Slope`, the derivative given the output (`from: "out"`) where that suffices, else given the
 * input: what is kept for backward.
 */
interface ActivationText {
  readonly wgsl: string;
  readonly slope: string;
  readonly from: "x" | "out";
}

const SIGMOID = "fn sigmoid(x: T) -> T { return T(1.0) / (T(1.0) + exp(-x)); }";

/**
 * The error function by Abramowitz and Stegun 7.1.26 for |x| >= 0.5 and its Maclaurin series below, where the
 * formula's absolute error of 1.5e-7 would be a large relative one.
 */
const ERF = `fn erf(x: T) -> T {
  let a = abs(x);
  let t = T(1.0) / (T(1.0) + 0.3275911 * a);
  let tail = T(1.0) - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * exp(-a * a);
  let q = x * x;
  let series = 1.1283791671 * x * (T(1.0) - q * (T(0.3333333333) - q * (T(0.1) - q * (T(0.0238095238) - q * (T(0.0046296296) - q * 0.0007575758)))));
  return select(sign(x) * tail, series, a < T(0.5));
}`;

/** WGSL's tanh may overflow inside for large arguments; it is 1 in f32 from 10 on. */
const TANH_INNER =
  "fn inner(x: T) -> T { return tanh(clamp(0.7978845608 * (x + 0.044715 * x * x * x), T(-10.0), T(10.0))); }";

export const ACTIVATIONS = {
  relu: {
    wgsl: "fn relu(x: T) -> T { return max(x, T(0.0)); }",
    slope: "fn reluSlope(y: T) -> T { return select(T(0.0), T(1.0), y > T(0.0)); }",
    from: "out",
  },
  sigmoid: {
    wgsl: SIGMOID,
    slope: "fn sigmoidSlope(y: T) -> T { return y * (T(1.0) - y); }",
    from: "out",
  },
  silu: {
    wgsl: `${SIGMOID}\nfn silu(x: T) -> T { return x * sigmoid(x); }`,
    slope: `${SIGMOID}\nfn siluSlope(x: T) -> T { let s = sigmoid(x); return s * (T(1.0) + x * (T(1.0) - s)); }`,
    from: "x",
  },
  gelu: {
    wgsl: `${ERF}\nfn gelu(x: T) -> T { return 0.5 * x * (T(1.0) + erf(0.7071067812 * x)); }`,
    slope: `${ERF}\nfn geluSlope(x: T) -> T { return 0.5 * (T(1.0) + erf(0.7071067812 * x)) + x * 0.3989422804 * exp(-0.5 * x * x); }`,
    from: "x",
  },
  geluTanh: {
    wgsl: `${TANH_INNER}\nfn geluTanh(x: T) -> T { return 0.5 * x * (T(1.0) + inner(x)); }`,
    slope: `${TANH_INNER}\nfn geluTanhSlope(x: T) -> T {
  let t = inner(x);
  return 0.5 * (T(1.0) + t) + 0.5 * x * (T(1.0) - t * t) * 0.7978845608 * (T(1.0) + 0.134145 * x * x);
}`,
    from: "x",
  },
  hardswish: {
    wgsl: "fn hardswish(x: T) -> T { return x * clamp(x + T(3.0), T(0.0), T(6.0)) / 6.0; }",
    slope: `fn hardswishSlope(x: T) -> T {
  return select(select((2.0 * x + T(3.0)) / 6.0, T(1.0), x >= T(3.0)), T(0.0), x <= T(-3.0));
}`,
    from: "x",
  },
} as const satisfies Record<string, ActivationText>;

/** The functions that texts declare, each once: several activations need the same ones. */
export function declaredOnce(texts: readonly string[]): string {
  return [...new Set(texts.flatMap((text) => (text === "" ? [] : text.split(/\n(?=fn )/))))].join("\n");
}
