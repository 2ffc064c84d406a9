/** The nearest multiple of `step`, at least `step`, and never more than 10 % below `value`. */
export function roundChannels(value: number, step: number): number {
  const rounded = Math.max(step, Math.floor(Math.trunc(value + step / 2) / step) * step);
  return rounded < 0.9 * value ? rounded + step : rounded;
}
