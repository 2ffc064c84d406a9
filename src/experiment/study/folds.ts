import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import { patientOf } from "../../data/dataset/patients.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import { DataError } from "../../errors.ts";
import { random } from "../../kernels/random.ts";
import { IGNORE_LABEL } from "../../labels.ts";
import { STRATUM_LIMITS } from "../../metrics/strata.ts";
import { foldText } from "../settings/config.ts";
import type { Selection, StudyData } from "./plan.ts";

/** Images that must stand in one fold: of a volume, or of a patient as names tell. */
interface Group {
  readonly name: string;
  readonly samples: readonly CheckedSample[];
  /** The stratum of most of its images, counted from the smallest objects; images without any are one of their own. */
  readonly stratum: number;
}

/** The images of a set in folds. */
export interface Folds {
  readonly folds: readonly (readonly CheckedSample[])[];
  /** How many groups the images make, and how many images have nothing that tells whose they are. */
  readonly groups: number;
  readonly alone: number;
}

/**
 * Shares images out to `count` folds: what belongs to one volume (dataset.yaml) or patient (as names tell) stays together, and
 * each fold gets its part of every size of objects. Largest groups first, each to the fold that has the fewest images of its
 * stratum, then the fewest of all; among equal ones the draw of `seed` decides. DataError where there are fewer groups than folds.
 */
export function shareOut(samples: readonly CheckedSample[], count: number, seed: number): Folds {
  const { groups, alone } = groupsOf(samples);
  if (groups.length < count) {
    throw new DataError(
      `${samples.length} images of ${groups.length} patients or volumes cannot be shared out to ${count} folds; use --folds ${Math.max(2, groups.length)}, or add images`,
    );
  }
  const order = random(seed, "folds").permutation(groups.length);
  const drawn = groups.map((group, i) => ({ group, place: order[i] ?? 0 }));
  drawn.sort((a, b) => b.group.samples.length - a.group.samples.length || a.place - b.place);
  const folds = Array.from({ length: count }, () => ({
    samples: [] as CheckedSample[],
    strata: new Map<number, number>(),
  }));
  for (const { group } of drawn) {
    const { stratum, samples: own } = group;
    const inStratum = (fold: (typeof folds)[number]) => fold.strata.get(stratum) ?? 0;
    const least = folds.reduce((best, fold) => {
      const by = inStratum(fold) - inStratum(best) || fold.samples.length - best.samples.length;
      return by < 0 ? fold : best;
    });
    least.samples.push(...own);
    least.strata.set(stratum, inStratum(least) + own.length);
  }
  const byName = (a: CheckedSample, b: CheckedSample) => (a.stem < b.stem ? -1 : 1);
  return { folds: folds.map(({ samples: own }) => own.sort(byName)), groups: groups.length, alone };
}

function groupsOf(samples: readonly CheckedSample[]): { readonly groups: Group[]; readonly alone: number } {
  const members = new Map<string, CheckedSample[]>();
  let alone = 0;
  for (const sample of samples) {
    const whose = sample.volume?.name ?? patientOf(sample.stem);
    if (whose === undefined) alone++;
    const name = whose === undefined ? `image ${sample.stem}` : `group ${whose}`;
    members.set(name, [...(members.get(name) ?? []), sample]);
  }
  const named = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
  return { groups: named.map(([name, own]) => ({ name, samples: own, stratum: usual(own.map(stratumOf)) })), alone };
}

/**
 * Where the foreground of an image lies among the size strata, from the pixels of its largest class; 0 for an image without
 * any. A measure for sharing out alone: the table's strata go by single objects.
 */
function stratumOf({ labels, width, height }: CheckedSample): number {
  const areas = labels.filter(([label]) => label > 0 && label !== IGNORE_LABEL).map(([, pixels]) => pixels);
  const largest = (100 * Math.max(0, ...areas)) / (width * height);
  return largest === 0 ? 0 : 1 + STRATUM_LIMITS.filter((limit) => largest >= limit).length;
}

/** The value that most have; of several the smallest. */
function usual(values: readonly number[]): number {
  const times = (value: number) => values.filter((other) => other === value).length;
  return [...values].sort((a, b) => times(b) - times(a) || a - b)[0] ?? 0;
}

/** What folds are made of. */
interface FoldInput {
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly folds: number;
  /** Decides who goes to which fold. */
  readonly seed: number;
  /** `val`: the checkpoint that is best on the fold it is scored on. */
  readonly select: Extract<Selection, "last" | "val">;
}

/** A data set of each fold: trained on the others, scored on the fold. All of `train` and `val` are shared out, `test` is not. */
export function foldData({ dataset, statistics, folds: count, seed, select }: FoldInput): {
  readonly folds: readonly StudyData[];
  readonly shared: Folds;
} {
  const { train = [], val = [] } = dataset.splits;
  const shared = shareOut([...train, ...val], count, seed);
  const folds = shared.folds.map((held, i): StudyData => {
    const rest = shared.folds.flatMap((samples, j) => (j === i ? [] : samples));
    const ordered = [...rest].sort((a, b) => (a.stem < b.stem ? -1 : 1));
    return {
      name: dataset.name,
      fold: foldText({ fold: i + 1, folds: count, seed }),
      judge: select === "val" ? "val" : "none",
      // Judged by the fold only where that chooses the checkpoint: otherwise nothing of the fold is looked at before the end.
      dataset: { ...dataset, splits: { train: ordered, ...(select === "val" ? { val: held } : {}) } },
      statistics,
      scored: { split: "fold", samples: held },
      select,
    };
  });
  return { folds, shared };
}
