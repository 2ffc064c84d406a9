import type { CheckedSample } from "../../data/dataset/check-dataset.ts";
import { type CaseMaps, type CaseResult, type CasesResult, casesResult, scoreCase } from "../../metrics/cases.ts";
import { withoutIgnored } from "../../metrics/surface.ts";
import { Totals } from "../../metrics/totals.ts";
import type { EvaluatedMap } from "./scores.ts";
import { spacingOf } from "./spacing.ts";

/** The slices of one volume that were scored so far. */
interface OpenCase {
  readonly totals: Totals;
  readonly slices: Slice[];
}

interface Slice extends Pick<EvaluatedMap, "sample" | "height" | "width"> {
  /** Its place in the volume. */
  readonly place: number;
  /** Kept only where borders are compared. */
  readonly prediction?: Uint8Array;
  readonly target?: Uint8Array;
}

/**
 * Puts the slices of a split together to volumes again and scores each when its last slice has come. The labels of the
 * volumes under way are held; slices are listed by volume, so that it is one at a time.
 */
export class VolumeScores {
  readonly #classes: number;
  /** Millimetres; null: borders are not compared. */
  readonly #tolerance: number | null;
  readonly #left = new Map<string, number>();
  readonly #open = new Map<string, OpenCase>();
  readonly #cases: CaseResult[] = [];

  constructor(samples: readonly CheckedSample[], classes: number, tolerance: number | null) {
    this.#classes = classes;
    this.#tolerance = tolerance;
    for (const { volume } of samples) {
      if (volume) this.#left.set(volume.name, (this.#left.get(volume.name) ?? 0) + 1);
    }
  }

  /** Counts an image that is a slice of a volume; any other is left alone. */
  add({ sample, prediction, target, height, width }: EvaluatedMap): void {
    const { volume } = sample;
    if (volume === undefined) return;
    const open = this.#open.get(volume.name) ?? { totals: new Totals(this.#classes), slices: [] };
    this.#open.set(volume.name, open);
    open.totals.merge(Totals.ofImage(prediction, target, this.#classes));
    const slice = { sample, height, width, place: volume.slice };
    const kept = this.#tolerance !== null && sample.spacing !== undefined;
    const maps = () => ({
      prediction: Uint8Array.from(withoutIgnored(prediction, target)),
      target: Uint8Array.from(target),
    });
    open.slices.push(kept ? { ...slice, ...maps() } : slice);
    this.leaveOut(volume.name);
  }

  /** One slice fewer to come: it was scored, or could not be. */
  leaveOut(name: string): void {
    const left = (this.#left.get(name) ?? 0) - 1;
    this.#left.set(name, left);
    const open = this.#open.get(name);
    if (left > 0 || open === undefined) return;
    this.#open.delete(name);
    const { totals, slices } = open;
    const maps = this.#tolerance === null ? undefined : mapsOf(slices);
    const input = { name, slices: slices.length, totals, maps };
    this.#cases.push(scoreCase(input, this.#tolerance ?? undefined));
  }

  /** Undefined where no image is a slice of a volume. */
  result(): CasesResult | undefined {
    if (this.#cases.length === 0) return undefined;
    return casesResult(this.#cases, this.#tolerance ?? undefined);
  }
}

/** The slices as a volume; undefined where their spacing is unknown, they differ in size or do not lie at one distance. */
function mapsOf(unsorted: readonly Slice[]): CaseMaps | undefined {
  const slices = unsorted.toSorted((one, two) => one.place - two.place);
  const [first, second] = slices;
  if (first === undefined) return undefined;
  const between = first.sample.spacing?.[2];
  const spacing = spacingOf(first.sample, first);
  if (between === undefined || spacing === undefined) return undefined;
  const { height, width } = first;
  const step = second === undefined ? 1 : second.place - first.place;
  const even = slices.every((slice, i) => slice.place === first.place + i * step);
  if (!even || slices.some((slice) => slice.height !== height || slice.width !== width)) return undefined;
  const joined = (key: "prediction" | "target") => {
    const out = new Uint8Array(slices.length * height * width);
    for (const [i, slice] of slices.entries()) out.set(slice[key] ?? [], i * height * width);
    return out;
  };
  return {
    ...{ prediction: joined("prediction"), target: joined("target"), height, width },
    spacing: [between * step, ...spacing],
  };
}
