/** Softmax attention on `[lanes, tokens, heads * dim]` in float64: all of it for small sizes, chosen rows for large ones. */
export interface AttentionSizes {
  readonly lanes: number;
  readonly tokens: number;
  readonly heads: number;
  readonly dim: number;
}

export interface AttentionData {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly upstream: Float32Array;
}

export interface AttentionGradients {
  readonly out: Float64Array;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
}

const at = (data: ArrayLike<number>, index: number): number => data[index] ?? Number.NaN;

/** Everything about one query row: its weights, output and the gradient of its scores. */
function queryRow(data: AttentionData, sizes: AttentionSizes, lane: number, head: number, row: number) {
  const { tokens, heads, dim } = sizes;
  const place = (token: number) => ((lane * tokens + token) * heads + head) * dim;
  const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number) => {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += at(a, place(i) + d) * at(b, place(j) + d);
    return sum;
  };
  const weights = Float64Array.from({ length: tokens }, (_, j) => dot(data.q, row, data.k, j) / Math.sqrt(dim));
  const highest = weights.reduce((most, s) => Math.max(most, s), Number.NEGATIVE_INFINITY);
  let total = 0;
  for (let j = 0; j < tokens; j++) total += weights[j] = Math.exp(at(weights, j) - highest);
  const out = new Float64Array(dim);
  const slopes = new Float64Array(tokens);
  let mean = 0;
  for (let j = 0; j < tokens; j++) {
    const weight = at(weights, j) / total;
    weights[j] = weight;
    for (let d = 0; d < dim; d++) out[d] = at(out, d) + weight * at(data.v, place(j) + d);
    slopes[j] = dot(data.upstream, row, data.v, j);
    mean += weight * at(slopes, j);
  }
  for (let j = 0; j < tokens; j++) slopes[j] = (at(weights, j) * (at(slopes, j) - mean)) / Math.sqrt(dim);
  return { weights, slopes, out, place, lse: highest + Math.log(total) };
}

export function attentionReference(data: AttentionData, sizes: AttentionSizes): AttentionGradients {
  const { lanes, tokens, heads, dim } = sizes;
  const size = lanes * tokens * heads * dim;
  const make = () => new Float64Array(size);
  const all = { out: make(), q: make(), k: make(), v: make() };
  for (let lane = 0; lane < lanes; lane++) {
    for (let head = 0; head < heads; head++) {
      for (let row = 0; row < tokens; row++) {
        const { weights, slopes, out, place } = queryRow(data, sizes, lane, head, row);
        all.out.set(out, place(row));
        for (let j = 0; j < tokens; j++) {
          for (let d = 0; d < dim; d++) {
            const [own, other] = [place(row) + d, place(j) + d];
            all.q[own] = at(all.q, own) + at(slopes, j) * at(data.k, other);
            all.k[other] = at(all.k, other) + at(slopes, j) * at(data.q, own);
            all.v[other] = at(all.v, other) + at(weights, j) * at(data.upstream, own);
          }
        }
      }
    }
  }
  return all;
}

/** Output, log-sum-exp and query gradient of one row of lane 0, head 0. */
export function attentionRow(data: AttentionData, sizes: AttentionSizes, row: number) {
  const { weights, slopes, out, place, lse } = queryRow(data, sizes, 0, 0, row);
  const q = new Float64Array(sizes.dim);
  for (let j = 0; j < weights.length; j++) {
    for (let d = 0; d < sizes.dim; d++) q[d] = at(q, d) + at(slopes, j) * at(data.k, place(j) + d);
  }
  return { out, q, lse };
}

/**
 * Key and value gradients of one row of lane 0 with a single head, summed over all queries, from the outputs and
 * log-sum-exps of a forward pass: recomputing those for every query would take minutes.
 */
export function attentionKey(
  data: AttentionData,
  { tokens, dim }: AttentionSizes,
  forward: { readonly out: Float32Array; readonly lse: Float32Array },
  key: number,
) {
  const k = new Float64Array(dim);
  const v = new Float64Array(dim);
  for (let row = 0; row < tokens; row++) {
    let [score, slope] = [0, 0];
    for (let d = 0; d < dim; d++) {
      const upstream = at(data.upstream, row * dim + d);
      score += at(data.q, row * dim + d) * at(data.k, key * dim + d);
      slope += upstream * (at(data.v, key * dim + d) - at(forward.out, row * dim + d));
    }
    const weight = Math.exp(score / Math.sqrt(dim) - at(forward.lse, row));
    for (let d = 0; d < dim; d++) {
      k[d] = at(k, d) + (weight * slope * at(data.q, row * dim + d)) / Math.sqrt(dim);
      v[d] = at(v, d) + weight * at(data.upstream, row * dim + d);
    }
  }
  return { k, v };
}
