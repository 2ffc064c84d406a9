/** One optimizer step in float64, in place, as PyTorch defines it. */
const at = (data: ArrayLike<number>, index: number): number => data[index] ?? Number.NaN;

export interface Moments {
  readonly parameter: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

export function adamWReference(
  { parameter, first, second }: Moments,
  gradient: ArrayLike<number>,
  step: number,
  o: { readonly rate: number; readonly betas: readonly [number, number]; readonly eps: number; readonly decay: number },
): void {
  const [beta1, beta2] = o.betas;
  for (let i = 0; i < parameter.length; i++) {
    const g = at(gradient, i);
    first[i] = beta1 * at(first, i) + (1 - beta1) * g;
    second[i] = beta2 * at(second, i) + (1 - beta2) * g * g;
    const size = Math.sqrt(at(second, i) / (1 - beta2 ** step)) + o.eps;
    parameter[i] = at(parameter, i) * (1 - o.rate * o.decay) - ((o.rate / (1 - beta1 ** step)) * at(first, i)) / size;
  }
}

export function sgdReference(
  { parameter, first }: Moments,
  gradient: ArrayLike<number>,
  o: { readonly rate: number; readonly momentum: number; readonly nesterov: boolean; readonly decay: number },
): void {
  for (let i = 0; i < parameter.length; i++) {
    const g = at(gradient, i) + o.decay * at(parameter, i);
    first[i] = o.momentum * at(first, i) + g;
    parameter[i] = at(parameter, i) - o.rate * (o.nesterov ? g + o.momentum * at(first, i) : at(first, i));
  }
}

/** What clipping to `norm` multiplies gradients by. */
export function clipFactor(gradients: readonly ArrayLike<number>[], norm: number): number {
  let squares = 0;
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) squares += at(gradient, i) ** 2;
  return Math.min(1, norm / (Math.sqrt(squares) + 1e-6));
}
