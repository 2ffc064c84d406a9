/** What the growth of a run's time is judged by. */
export interface Measured {
  readonly dispatches: number;
  /** Multiply-accumulates of the whole run. */
  readonly macs: number;
  readonly milliseconds: number;
  /** GPU time of the kernels that multiply, and of all; null where the adapter has no timestamps. */
  readonly productMs: number | null;
  readonly gpuMs: number | null;
}

/** A run's time as an overhead for each dispatch and a time for each multiply-accumulate. */
export interface Fit {
  readonly msPerDispatch: number;
  readonly msPerMac: number;
}

export interface Judged {
  /** The overhead floor: what the dispatches alone would take. */
  readonly floorMs: number;
  readonly expectedMs: number;
  /** The measured time over the floor and a time proportional to the multiply-accumulates, less one. */
  readonly deviation: number;
  /** Where the deviation comes from; null within {@link ALLOWED}. */
  readonly explanation: string | null;
}

/** The deviation from proportional that needs no explanation. */
export const ALLOWED = 0.15;

/** The fit with the least squares of relative errors, neither part below zero. */
export function fitOf(points: readonly Measured[]): Fit {
  let [dd, dm, mm, d, m] = [0, 0, 0, 0, 0];
  for (const { dispatches, macs, milliseconds } of points) {
    const [a, b] = [dispatches / milliseconds, macs / milliseconds];
    dd += a * a;
    dm += a * b;
    mm += b * b;
    d += a;
    m += b;
  }
  const determinant = dd * mm - dm * dm;
  const both = { msPerDispatch: (d * mm - m * dm) / determinant, msPerMac: (m * dd - d * dm) / determinant };
  if (both.msPerDispatch >= 0 && both.msPerMac >= 0) return both;
  const alone = [
    { msPerDispatch: 0, msPerMac: m / mm },
    { msPerDispatch: d / dd, msPerMac: 0 },
  ];
  const errors = alone.map((fit) =>
    points.reduce((sum, point) => sum + (expectedOf(fit, point) / point.milliseconds - 1) ** 2, 0),
  );
  const [one = 0, other = 0] = errors;
  return alone[one <= other ? 0 : 1] ?? both;
}

const expectedOf = ({ msPerDispatch, msPerMac }: Fit, { dispatches, macs }: Measured): number =>
  msPerDispatch * dispatches + msPerMac * macs;

/** Holds every point against the fit of all. */
export function judged(points: readonly Measured[]): { readonly fit: Fit; readonly points: readonly Judged[] } {
  const fit = fitOf(points);
  const rates = points.flatMap(rateOf);
  const shares = points.flatMap(othersOf);
  return {
    fit,
    points: points.map((point) => {
      const expectedMs = expectedOf(fit, point);
      const deviation = point.milliseconds / expectedMs - 1;
      const explanation =
        Math.abs(deviation) <= ALLOWED
          ? null
          : explained(point, deviation, { rate: middle(rates), others: middle(shares) });
      return { floorMs: fit.msPerDispatch * point.dispatches, expectedMs, deviation, explanation };
    }),
  };
}

/** GFLOP/s of the kernels that multiply, by their own GPU time; none without timestamps. */
const rateOf = ({ macs, productMs }: Measured): number[] => (productMs ? [(2 * macs) / productMs / 1e6] : []);

/** Share of the GPU time that kernels without products take. */
const othersOf = ({ productMs, gpuMs }: Measured): number[] =>
  productMs === null || !gpuMs ? [] : [1 - productMs / gpuMs];

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Both causes that timestamps show, against the middle of all points. */
function explained(
  point: Measured,
  deviation: number,
  usual: { readonly rate: number; readonly others: number },
): string {
  const [rate] = rateOf(point);
  const [others] = othersOf(point);
  const how = deviation > 0 ? "slower" : "faster";
  if (rate === undefined || others === undefined || point.gpuMs === null)
    return `${how}, and this adapter has no timestamps to say where`;
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const outside = Math.max(0, 1 - point.gpuMs / point.milliseconds);
  return (
    `${how}: products at ${rate.toPrecision(3)} GFLOP/s (middle ${usual.rate.toPrecision(3)}), other kernels ${percent(others)} of ` +
    `the GPU's time (middle ${percent(usual.others)}), ${percent(outside)} of the run outside the GPU`
  );
}
