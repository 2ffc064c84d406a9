const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** ln Gamma(x) for x >= 0.5, by Lanczos' series (g = 7, 9 terms); relative error about 1e-15. */
export function logGamma(x: number): number {
  const shifted = x - 1;
  const base = shifted + 7.5;
  const series = LANCZOS.reduce((sum, term, i) => (i === 0 ? term : sum + term / (shifted + i)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(series);
}

/** Continued fraction of the incomplete beta function by Lentz's method (Numerical Recipes 6.4). */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return fraction;
}

/**
 * Regularised incomplete beta function I_x(a, b) for a, b >= 0.5 and x in [0, 1], given as x and 1 - x so that neither
 * loses digits near the ends. Relative error below 1e-11 for a and b up to 500, below 1e-9 up to 5e4. The p-values
 * rest on it.
 */
export function incompleteBeta(a: number, b: number, x: number, complement = 1 - x): number {
  if (x <= 0) return 0;
  if (complement <= 0) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(complement));
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(a, b, x)) / a;
  return 1 - (front * betaFraction(b, a, complement)) / b;
}

/** Two-sided tail of Student's t distribution: P(|T| >= |t|). */
export function studentTail(t: number, degrees: number): number {
  const square = t * t;
  return incompleteBeta(degrees / 2, 0.5, degrees / (degrees + square), square / (degrees + square));
}

/** P(|Z| >= |z|) of the standard normal distribution, from chi-square with one degree of freedom. */
export function normalTail(z: number): number {
  const x = (z * z) / 2;
  return x < 1.5 ? 1 - gammaSeries(x) : gammaFraction(x);
}

/** Regularised lower incomplete gamma function P(1/2, x) by its series. */
function gammaSeries(x: number): number {
  if (x === 0) return 0;
  let term = 2;
  let sum = term;
  for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
    term *= x / (0.5 + n);
    sum += term;
  }
  return sum * Math.exp(-x) * Math.sqrt(x / Math.PI);
}

/** Regularised upper incomplete gamma function Q(1/2, x) by Lentz's continued fraction. */
function gammaFraction(x: number): number {
  if (!Number.isFinite(x)) return 0;
  let b = x + 0.5;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let i = 1; i <= 10_000; i++) {
    const a = -i * (i - 0.5);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    const change = c * d;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return fraction * Math.exp(-x) * Math.sqrt(x / Math.PI);
}
