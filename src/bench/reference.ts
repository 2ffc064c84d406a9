/**
 * The ops of the bench by their definitions, in float64 and for single elements: before a kernel is timed, a sample of
 * its results is compared with these. Nothing here shares code or order of loops with the kernels.
 */
export type Floats = ArrayLike<number>;

const at = (data: Floats, index: number): number => data[index] ?? Number.NaN;

export interface ConvGeometry {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly oh: number;
  readonly ow: number;
  readonly k: number;
  readonly r: number;
  readonly s: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

/** The coordinates of an element, slowest axis first. */
function split(index: number, ...extents: readonly number[]): number[] {
  const out: number[] = [];
  let rest = index;
  for (const extent of [...extents].reverse()) {
    out.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return [rest, ...out];
}

/** Calls `visit` for every pair of an output pixel and an input pixel on one axis that tap `tap` joins. */
const source = (o: number, tap: number, { stride, padding, dilation }: ConvGeometry): number =>
  o * stride - padding + tap * dilation;

export function convForward(g: ConvGeometry, x: Floats, weight: Floats, index: number): number {
  const [n = 0, oy = 0, ox = 0, k = 0] = split(index, g.oh, g.ow, g.k);
  const perGroup = g.c / g.groups;
  const first = Math.floor(k / (g.k / g.groups)) * perGroup;
  let sum = 0;
  for (let r = 0; r < g.r; r++) {
    for (let s = 0; s < g.s; s++) {
      const y = source(oy, r, g);
      const z = source(ox, s, g);
      if (y < 0 || z < 0 || y >= g.h || z >= g.w) continue;
      for (let c = 0; c < perGroup; c++) {
        const pixel = ((n * g.h + y) * g.w + z) * g.c + first + c;
        sum += at(x, pixel) * at(weight, ((k * g.r + r) * g.s + s) * perGroup + c);
      }
    }
  }
  return sum;
}

export function convGradX(g: ConvGeometry, grad: Floats, weight: Floats, index: number): number {
  const [n = 0, iy = 0, ix = 0, c = 0] = split(index, g.h, g.w, g.c);
  const perGroup = g.c / g.groups;
  const outPerGroup = g.k / g.groups;
  const first = Math.floor(c / perGroup) * outPerGroup;
  let sum = 0;
  for (let r = 0; r < g.r; r++) {
    for (let s = 0; s < g.s; s++) {
      const y = (iy + g.padding - r * g.dilation) / g.stride;
      const z = (ix + g.padding - s * g.dilation) / g.stride;
      if (!Number.isInteger(y) || !Number.isInteger(z) || y < 0 || z < 0 || y >= g.oh || z >= g.ow) continue;
      for (let k = first; k < first + outPerGroup; k++) {
        const tap = ((k * g.r + r) * g.s + s) * perGroup + (c % perGroup);
        sum += at(grad, ((n * g.oh + y) * g.ow + z) * g.k + k) * at(weight, tap);
      }
    }
  }
  return sum;
}

export function convGradWeight(g: ConvGeometry, grad: Floats, x: Floats, index: number): number {
  const perGroup = g.c / g.groups;
  const [k = 0, r = 0, s = 0, c = 0] = split(index, g.r, g.s, perGroup);
  const channel = Math.floor(k / (g.k / g.groups)) * perGroup + c;
  let sum = 0;
  for (let pixel = 0; pixel < g.n * g.oh * g.ow; pixel++) {
    const [n = 0, oy = 0, ox = 0] = split(pixel, g.oh, g.ow);
    const y = source(oy, r, g);
    const z = source(ox, s, g);
    if (y < 0 || z < 0 || y >= g.h || z >= g.w) continue;
    sum += at(grad, pixel * g.k + k) * at(x, ((n * g.h + y) * g.w + z) * g.c + channel);
  }
  return sum;
}

/** Mean and variance of `count` numbers from `start` on, `step` apart. */
export function moments(x: Floats, start: number, step: number, count: number): { mean: number; variance: number } {
  let mean = 0;
  for (let i = 0; i < count; i++) mean += at(x, start + i * step) / count;
  let variance = 0;
  for (let i = 0; i < count; i++) variance += (at(x, start + i * step) - mean) ** 2 / count;
  return { mean, variance };
}

/** A stretch of numbers that is normalised together: `count` of them from `start` on, `step` apart. */
export interface Stretch {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The gradient of `((x - mean) / deviation) scale` at one of the numbers; `scaled(i)` is the gradient times the scale. */
export function normGradX(
  x: Floats,
  scaled: (index: number) => number,
  of: Stretch,
  index: number,
  eps: number,
): number {
  const { mean, variance } = moments(x, of.start, of.step, of.count);
  const inverse = 1 / Math.sqrt(variance + eps);
  const hat = (i: number) => (at(x, i) - mean) * inverse;
  let plain = 0;
  let product = 0;
  for (let i = 0; i < of.count; i++) {
    const place = of.start + i * of.step;
    plain += scaled(place) / of.count;
    product += (scaled(place) * hat(place)) / of.count;
  }
  return inverse * (scaled(index) - plain - hat(index) * product);
}

/** The two source pixels of a resized one and the share of the second. */
export function bilinearSource(o: number, from: number, to: number, aligned: boolean): [number, number, number] {
  const place = aligned ? (to > 1 ? (o * (from - 1)) / (to - 1) : 0) : Math.max(0, ((o + 0.5) * from) / to - 0.5);
  const low = Math.min(Math.floor(place), from - 1);
  return [low, Math.min(low + 1, from - 1), place - low];
}

/** Attention of one lane and head, `[tokens, features]` with the head's columns picked by `column`. */
export interface HeadView {
  readonly q: Floats;
  readonly k: Floats;
  readonly v: Floats;
  readonly tokens: number;
  readonly dim: number;
  /** Index of feature `d` of token `t`. */
  place(t: number, d: number): number;
}

function dot(view: HeadView, a: Floats, i: number, b: Floats, j: number): number {
  let sum = 0;
  for (let d = 0; d < view.dim; d++) sum += at(a, view.place(i, d)) * at(b, view.place(j, d));
  return sum;
}

/** The attention weights of token `i` over all tokens. */
export function attentionRow(view: HeadView, i: number): Float64Array {
  const scores = new Float64Array(view.tokens);
  for (let j = 0; j < view.tokens; j++) scores[j] = dot(view, view.q, i, view.k, j) / Math.sqrt(view.dim);
  const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

export function attentionForward(view: HeadView, token: number, feature: number): number {
  return attentionRow(view, token).reduce((sum, w, j) => sum + w * at(view.v, view.place(j, feature)), 0);
}

/** The gradient of the scores of token `i`, times their scale. */
function scoreGrads(view: HeadView, grad: Floats, i: number): { weights: Float64Array; scores: Float64Array } {
  const weights = attentionRow(view, i);
  const products = weights.map((_, j) => dot(view, grad, i, view.v, j));
  const mean = weights.reduce((sum, w, j) => sum + w * (products[j] ?? 0), 0);
  return { weights, scores: weights.map((w, j) => (w * ((products[j] ?? 0) - mean)) / Math.sqrt(view.dim)) };
}

export function attentionGradQ(view: HeadView, grad: Floats, token: number, feature: number): number {
  return scoreGrads(view, grad, token).scores.reduce((sum, s, j) => sum + s * at(view.k, view.place(j, feature)), 0);
}

/** Gradients of feature `feature` of key and value `token`. */
export function attentionGradKV(
  view: HeadView,
  grad: Floats,
  token: number,
  feature: number,
): { k: number; v: number } {
  let k = 0;
  let v = 0;
  for (let i = 0; i < view.tokens; i++) {
    const { weights, scores } = scoreGrads(view, grad, i);
    k += (scores[token] ?? 0) * at(view.q, view.place(i, feature));
    v += (weights[token] ?? 0) * at(grad, view.place(i, feature));
  }
  return { k, v };
}
