/** Losses and their gradients in float64: logits [pixels, classes], one label a pixel. */
const at = (data: ArrayLike<number>, index: number): number => data[index] ?? Number.NaN;

function shares(logits: ArrayLike<number>, pixel: number, classes: number): { p: number[]; lse: number } {
  const row = Array.from({ length: classes }, (_, c) => at(logits, pixel * classes + c));
  const highest = Math.max(...row);
  const lse = highest + Math.log(row.reduce((sum, x) => sum + Math.exp(x - highest), 0));
  return { p: row.map((x) => Math.exp(x - lse)), lse };
}

export function crossEntropyReference(
  logits: Float32Array,
  label: Int32Array,
  weight: Float32Array,
  { ignoreIndex, smoothing }: { readonly ignoreIndex: number; readonly smoothing: number },
) {
  const classes = weight.length;
  const grad = new Float64Array(logits.length);
  let [sum, divisor] = [0, 0];
  for (const [pixel, truth] of label.entries()) {
    if (truth === ignoreIndex) continue;
    const { p, lse } = shares(logits, pixel, classes);
    divisor += at(weight, truth);
    for (let c = 0; c < classes; c++) {
      const pull = (c === truth ? (1 - smoothing) * at(weight, truth) : 0) + (smoothing / classes) * at(weight, c);
      sum += pull * (lse - at(logits, pixel * classes + c));
      grad[pixel * classes + c] = at(grad, pixel * classes + c) - pull;
      for (let j = 0; j < classes; j++) grad[pixel * classes + j] = at(grad, pixel * classes + j) + pull * at(p, j);
    }
  }
  return divisor === 0 ? { value: 0, grad } : { value: sum / divisor, grad: grad.map((g) => g / divisor) };
}

export function softDiceReference(
  logits: Float32Array,
  label: Int32Array,
  given: { samples: number; classes: number; smooth: number; ignoreIndex: number; first: number },
) {
  const { samples, classes, smooth, ignoreIndex, first } = given;
  const scores = samples * (classes - first);
  const pixels = label.length / samples;
  const grad = new Float64Array(logits.length);
  let value = 0;
  for (let sample = 0; sample < samples; sample++) {
    const all = Array.from({ length: pixels }, (_, i) => sample * pixels + i).filter((i) => label[i] !== ignoreIndex);
    const p = new Map(all.map((i) => [i, shares(logits, i, classes).p]));
    const slope = Array.from({ length: classes }, (_, c) => {
      const hits = all.reduce((sum, i) => sum + (label[i] === c ? at(p.get(i) ?? [], c) : 0), 0);
      const size = all.reduce((sum, i) => sum + at(p.get(i) ?? [], c) + (label[i] === c ? 1 : 0), 0) + smooth;
      if (c < first) return () => 0;
      value -= (2 * hits + smooth) / size / scores;
      return (hit: boolean) => -((hit ? 2 : 0) - (2 * hits + smooth) / size) / size / scores;
    });
    for (const i of all) {
      const row = p.get(i) ?? [];
      const slopes = slope.map((f, c) => f(label[i] === c));
      const mean = slopes.reduce((sum, s, c) => sum + s * at(row, c), 0);
      for (let c = 0; c < classes; c++) grad[i * classes + c] = at(row, c) * (at(slopes, c) - mean);
    }
  }
  return { value, grad };
}
