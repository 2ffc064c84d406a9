import { UsageError } from "../errors.ts";

/**
 * A learning rate per epoch, in the optimizer's units.
 * - `constant`: always `high`.
 * - `paper`: one cosine from `high` in the first epoch to `low` in the last.
 * - `poly`: from `high` down to nothing as (1 - epoch / epochs) ^ 0.9, nnU-Net's.
 * - `release`: the authors' code: warm-up from `start` to `high` and a cosine down, for the first tenth of the epochs and
 *   again for the rest; without pretrained weights one long warm-up and one cosine.
 */
export type Schedule =
  | { readonly kind: "constant"; readonly high: number }
  | { readonly kind: "paper"; readonly epochs: number; readonly high: number; readonly low: number }
  | { readonly kind: "poly"; readonly epochs: number; readonly high: number }
  | {
      readonly kind: "release";
      readonly epochs: number;
      readonly low: number;
      readonly start: number;
      readonly high: number;
      readonly pretrained: boolean;
    };

/** The kinds by name, as flags and files give them. */
export const SCHEDULES = ["paper", "release", "poly", "constant"] as const satisfies readonly Schedule["kind"][];

/** The highest rate of each kind, as published: what a schedule has where none is asked for. */
export const SCHEDULE_RATES: Readonly<Record<Schedule["kind"], number>> = {
  paper: 5e-5,
  release: 5e-4,
  poly: 1e-2,
  constant: 5e-5,
};

type ReleaseSchedule = Extract<Schedule, { kind: "release" }>;

/** The rates of the paper's text. */
export function paperSchedule(epochs: number, high = SCHEDULE_RATES.paper, low = 1e-6): Schedule {
  return { kind: "paper", epochs, high, low };
}

/** The rates of the authors' code. */
export function releaseSchedule(
  epochs: number,
  pretrained: boolean,
  { low = 1e-6, start = 5e-5, high = SCHEDULE_RATES.release }: { low?: number; start?: number; high?: number } = {},
): Schedule {
  return { kind: "release", epochs, low, start, high, pretrained };
}

/** A tenth of all epochs, rounded up: so long a pretrained encoder stays frozen and the release's first phase lasts. */
export function freezeEpochs(epochs: number): number {
  return Math.ceil(epochs / 10);
}

/** Half a cosine wave from `high` to `low` as `progress` goes from 0 to 1. */
function cosine(high: number, low: number, progress: number): number {
  return low + 0.5 * (high - low) * (1 + Math.cos(Math.PI * progress));
}

/** What the authors' code computes at the end of an epoch, for the next one. */
function releaseValue({ epochs, low, start, high, pretrained }: ReleaseSchedule, epoch: number): number {
  const mark = freezeEpochs(epochs);
  const early = pretrained && epoch < mark;
  const warmup = pretrained ? Math.floor(mark / 2) : mark;
  // The first phase starts at `start`, the second already one step above it.
  const step = pretrained && !early ? epoch - mark + 1 : epoch;
  const warm = early || !pretrained ? epoch < warmup : epoch < mark + warmup;
  if (warm) return start + (step * (high - start)) / warmup;
  const period = early ? mark : epochs;
  return epoch + 1 < period ? cosine(high, low, epoch / period) : low;
}

/**
 * The rate in force during an epoch, counted from 0. Epochs past the end keep the last rate, so that a run made longer by
 * hand does not climb the cosine again. Throws UsageError for an epoch that is no whole number from 0.
 */
export function rateAt(schedule: Schedule, epoch: number): number {
  if (!Number.isInteger(epoch) || epoch < 0) throw new UsageError(`An epoch is a whole number from 0, not ${epoch}.`);
  if (schedule.kind === "constant") return schedule.high;
  const now = Math.min(epoch, schedule.epochs - 1);
  if (schedule.kind === "poly") return schedule.high * (1 - now / schedule.epochs) ** 0.9;
  if (schedule.kind === "paper") {
    const { epochs, high, low } = schedule;
    return epochs === 1 ? high : cosine(high, low, now / (epochs - 1));
  }
  // The release sets the rate after an epoch: the first one runs at the lowest.
  return now === 0 ? schedule.low : releaseValue(schedule, now - 1);
}
