/** Mean and sample standard deviation of some values; null where there is none. */
export interface MeanDeviation {
  readonly mean: number | null;
  readonly sd: number | null;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Mean and sample deviation of some values; of none, null. One value has no deviation. */
export function meanDeviation(values: readonly number[]): MeanDeviation {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean: finite(mean), sd: values.length < 2 ? null : finite(Math.sqrt(squares / (values.length - 1))) };
}
