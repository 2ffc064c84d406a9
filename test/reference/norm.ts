/** Norms and their gradients in float64; `x` is row-major with `channels` as the last axis. */
const at = (data: ArrayLike<number>, index: number): number => data[index] ?? Number.NaN;

export interface NormResult {
  readonly out: Float64Array;
  readonly x: Float64Array;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  /** Mean and biased variance of every group. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Batch norm when `groupOf` maps an element to its channel, layer norm when it maps it to its row; with `fixed`
 * statistics these are constants.
 */
function normReference(
  given: { x: Float32Array; weight: Float32Array; bias: Float32Array; upstream: Float32Array; eps: number },
  groups: number,
  groupOf: (index: number) => number,
  fixed?: { mean: ArrayLike<number>; variance: ArrayLike<number> },
): NormResult {
  const { x, weight, bias, upstream, eps } = given;
  const channels = weight.length;
  const zeros = () => new Float64Array(groups);
  const [mean, variance, plain, scaled] = [zeros(), zeros(), zeros(), zeros()];
  const count = x.length / groups;
  const add = (to: Float64Array, index: number, value: number) => {
    to[index] = at(to, index) + value;
  };
  if (fixed) {
    mean.set(fixed.mean);
    variance.set(fixed.variance);
  } else {
    for (let i = 0; i < x.length; i++) add(mean, groupOf(i), at(x, i) / count);
    for (let i = 0; i < x.length; i++) add(variance, groupOf(i), (at(x, i) - at(mean, groupOf(i))) ** 2 / count);
  }
  const normal = (i: number) => (at(x, i) - at(mean, groupOf(i))) / Math.sqrt(at(variance, groupOf(i)) + eps);
  const result = {
    out: new Float64Array(x.length),
    x: new Float64Array(x.length),
    weight: new Float64Array(channels),
    bias: new Float64Array(channels),
    mean,
    variance,
  };
  for (let i = 0; i < x.length; i++) {
    const [c, g] = [i % channels, at(upstream, i)];
    result.out[i] = normal(i) * at(weight, c) + at(bias, c);
    add(result.weight, c, g * normal(i));
    add(result.bias, c, g);
    add(plain, groupOf(i), (g * at(weight, c)) / count);
    add(scaled, groupOf(i), (g * at(weight, c) * normal(i)) / count);
  }
  for (let i = 0; i < x.length; i++) {
    const group = groupOf(i);
    const own = at(upstream, i) * at(weight, i % channels);
    const shared = fixed ? 0 : at(plain, group) + normal(i) * at(scaled, group);
    result.x[i] = (own - shared) / Math.sqrt(at(variance, group) + eps);
  }
  return result;
}

type Given = Parameters<typeof normReference>[0];

export const batchNormReference = (given: Given, fixed?: { mean: ArrayLike<number>; variance: ArrayLike<number> }) =>
  normReference(given, given.weight.length, (i) => i % given.weight.length, fixed);

export const layerNormReference = (given: Given) =>
  normReference(given, given.x.length / given.weight.length, (i) => Math.floor(i / given.weight.length));
