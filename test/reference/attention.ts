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
  return { weights, slopes, out, place };
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

/** Output and query gradient of one row of lane 0, head 0. */
export function attentionRow(data: AttentionData, sizes: AttentionSizes, row: number) {
  const { weights, slopes, out, place } = queryRow(data, sizes, 0, 0, row);
  const q = new Float64Array(sizes.dim);
  for (let j = 0; j < weights.length; j++) {
    for (let d = 0; d < sizes.dim; d++) q[d] = at(q, d) + at(slopes, j) * at(data.k, place(j) + d);
  }
  return { out, q };
}

/** Key and value gradients of chosen rows of lane 0, head 0, each a sum over all queries. */
export function attentionKeys(data: AttentionData, sizes: AttentionSizes, keys: readonly number[]) {
  const { tokens, dim } = sizes;
  const k = keys.map(() => new Float64Array(dim));
  const v = keys.map(() => new Float64Array(dim));
  for (let row = 0; row < tokens; row++) {
    const { weights, slopes, place } = queryRow(data, sizes, 0, 0, row);
    for (const [n, key] of keys.entries()) {
      const [kn, vn] = [k[n], v[n]];
      if (!kn || !vn) continue;
      for (let d = 0; d < dim; d++) {
        kn[d] = at(kn, d) + at(slopes, key) * at(data.q, place(row) + d);
        vn[d] = at(vn, d) + at(weights, key) * at(data.upstream, place(row) + d);
      }
    }
  }
  return { k, v };
}
