import type { Card } from "./cards.ts";
import { peakOf } from "./cards.ts";
import type { Kernel } from "./kernels.ts";
import type { Compilation } from "./null-device.ts";
import { OVERHEAD, type Prediction } from "./roofline.ts";

/** The one document of `bench:isa --json`. Times are predicted by a model. */
export interface Report {
  readonly model: string;
  /** As `--card` names it. */
  readonly card: string;
  readonly cardName: string;
  readonly train: boolean;
  readonly precision: "f32" | "f16";
  /** As for an adapter with units that multiply matrices. */
  readonly matrices: boolean;
  readonly size: number;
  readonly batch: number;
  readonly classes: number;
  /** Predicted time of a run or a training step. */
  readonly milliseconds: number;
  /** Images a second at that time. */
  readonly fps: number;
  readonly dispatches: number;
  /** Distinct kernels. */
  readonly kernels: number;
  /** Registers of all kernels that did not fit. */
  readonly spills: number;
  /** Bytes of memory in place of registers, of all kernels. */
  readonly scratch: number;
  /** Billions of multiply-accumulates. */
  readonly gmacs: number;
  /** Of the card's peak in f32. */
  readonly shareOfPeak: number;
  /** Gigabytes to and from memory. */
  readonly gigabytes: number;
  /** Milliseconds that dispatches cost by being dispatches. */
  readonly overheadMs: number;
  /** Kernels whose loops run as long as data says: counted by their bytes. */
  readonly guessed: readonly string[];
  /** Kernels some of whose places in workgroup memory depend on data: conflicts there are not counted. */
  readonly unreadPlaces: readonly string[];
  readonly compiler: string;
  readonly kinds: readonly Kind[];
  readonly costliest: readonly Costly[];
}

/** All dispatches of one kind of kernel. */
export interface Kind {
  readonly label: string;
  readonly dispatches: number;
  readonly milliseconds: number;
  readonly share: number;
  readonly gmacs: number;
}

export interface Costly {
  readonly label: string;
  readonly path: string;
  readonly dispatches: number;
  readonly milliseconds: number;
  readonly each: number;
  readonly workgroups: number;
  readonly turns: number;
  readonly conflicts: number;
  readonly shareOfPeak: number;
  readonly limit: string;
}

export interface Asked
  extends Pick<Report, "model" | "card" | "train" | "precision" | "matrices" | "size" | "batch" | "classes"> {
  /** Rows of the table of dispatches. */
  readonly top: number;
}

interface Found {
  readonly card: Card;
  readonly kernels: readonly Kernel[];
  readonly compilation: Compilation;
  readonly predictions: readonly Prediction[];
}

const sum = <T>(list: readonly T[], of: (item: T) => number): number =>
  list.reduce((total, item) => total + of(item), 0);

export function reportOf({ top, ...asked }: Asked, { card, kernels, compilation, predictions }: Found): Report {
  const seconds = sum(predictions, totalOf);
  const macs = sum(predictions, ({ use }) => use.count * use.macs);
  const dispatches = sum(predictions, ({ use }) => use.count);
  return {
    ...asked,
    cardName: card.name,
    milliseconds: 1000 * seconds,
    fps: asked.batch / seconds,
    dispatches,
    kernels: kernels.length,
    spills: sum(compilation.kernels, ({ spills }) => spills),
    scratch: sum(compilation.kernels, ({ scratch }) => scratch),
    gmacs: macs / 1e9,
    shareOfPeak: shareOfPeak(macs, seconds, card),
    gigabytes: sum(predictions, ({ use, bytes }) => use.count * bytes) / 1e9,
    overheadMs: 1000 * dispatches * OVERHEAD,
    guessed: labels(predictions, ({ guessed }) => guessed),
    unreadPlaces: labels(predictions, ({ conflicts }) => conflicts.unread > 0),
    compiler: compilation.driver,
    kinds: kindsOf(predictions, seconds),
    costliest: [...predictions]
      .sort((a, b) => totalOf(b) - totalOf(a))
      .slice(0, top)
      .map((one) => costly(one, card)),
  };
}

const totalOf = ({ use, seconds }: Prediction): number => use.count * seconds;

const shareOfPeak = (macs: number, seconds: number, card: Card): number => (2 * macs) / seconds / (peakOf(card) * 1e9);

const labels = (predictions: readonly Prediction[], which: (one: Prediction) => boolean): string[] => [
  ...new Set(predictions.filter(which).map(({ label }) => label)),
];

function kindsOf(predictions: readonly Prediction[], seconds: number): Kind[] {
  const kinds = new Map<string, Prediction[]>();
  for (const one of predictions) kinds.set(one.label, [...(kinds.get(one.label) ?? []), one]);
  return [...kinds]
    .map(([label, own]) => ({
      label,
      dispatches: sum(own, ({ use }) => use.count),
      milliseconds: 1000 * sum(own, totalOf),
      share: sum(own, totalOf) / seconds,
      gmacs: sum(own, ({ use }) => use.count * use.macs) / 1e9,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

function costly(one: Prediction, card: Card): Costly {
  return {
    label: one.label,
    path: one.use.path,
    dispatches: one.use.count,
    milliseconds: 1000 * totalOf(one),
    each: 1000 * one.seconds,
    workgroups: one.groups,
    turns: one.turns.mean,
    conflicts: one.conflicts.factor,
    shareOfPeak: shareOfPeak(one.use.macs, one.seconds, card),
    limit: one.limit,
  };
}
