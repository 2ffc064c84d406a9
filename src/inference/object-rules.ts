import { IGNORE_LABEL } from "../labels.ts";
import { components } from "../metrics/components.ts";
import { withoutIgnored } from "../metrics/surface.ts";
import type { Labels } from "../metrics/totals.ts";

/** What happens to the objects of one foreground class. */
export interface ClassRule {
  readonly class: number;
  readonly name: string;
  /** Only the largest object of the class stays. */
  readonly largest: boolean;
  /** Objects below this share of the image, in percent, go. A share holds at any resolution. */
  readonly minPercent: number;
  /** Mean over the validation images of the class's Dice, percent: both maps empty 100, one empty 0. */
  readonly dice: { readonly before: number; readonly after: number };
}

/** The objects of a class that a rule keeps. Equally large ones: the first in reading order. */
function kept<T extends { readonly area: number }>(
  objects: readonly T[],
  { largest, minPercent }: Pick<ClassRule, "largest" | "minPercent">,
  pixels: number,
): T[] {
  const enough = objects.filter(({ area }) => 100 * area >= minPercent * pixels);
  if (!largest) return enough;
  const most = enough.reduce((size, { area }) => Math.max(size, area), 0);
  return enough.filter(({ area }) => area === most).slice(0, 1);
}

/** The label map `[height, width]` with the objects that the rules remove turned into background. */
export function postprocessed<L extends Labels>(
  labels: L,
  { height, width }: { readonly height: number; readonly width: number },
  rules: readonly ClassRule[],
): L {
  const active = rules.filter(({ largest, minPercent }) => largest || minPercent > 0);
  if (active.length === 0) return labels;
  const out = labels.slice() as L;
  for (const rule of active) {
    const objects = components(labels, rule.class, height, width).map((cells) => ({ cells, area: cells.length }));
    const stay = new Set(kept(objects, rule, labels.length));
    for (const object of objects) {
      if (!stay.has(object)) for (const cell of object.cells) out[cell] = 0;
    }
  }
  return out;
}

/** Least sizes that are tried, percent of the image. */
const SIZES = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

/** The rules that are tried, the one that changes nothing first: a tie is decided for the earlier one. */
const CANDIDATES = [false, true].flatMap((largest) => SIZES.map((minPercent) => ({ largest, minPercent })));

/**
 * Chooses on validation images which predicted objects are removed, those too small or not the largest of their class:
 * finds each class's best rule, classes judged on their own. The maps are not kept.
 */
export class PostprocessChoice {
  readonly #classes: readonly string[];
  /** Per foreground class and candidate the sum of Dice over images, as fractions. */
  readonly #sums: Float64Array[];
  images = 0;

  /** Names by label, background first. */
  constructor(classes: readonly string[]) {
    this.#classes = classes;
    this.#sums = classes.slice(1).map(() => new Float64Array(CANDIDATES.length));
  }

  /** Tries every rule on one image: maps `[height, width]`. One that is ignored as a whole counts nowhere. */
  add(
    prediction: Labels,
    target: Labels,
    { height, width }: { readonly height: number; readonly width: number },
  ): void {
    if (target.every((label) => label === IGNORE_LABEL)) return;
    const shown = withoutIgnored(prediction, target);
    for (const [c, sums] of this.#sums.entries()) {
      let truth = 0;
      for (const label of target) if (label === c + 1) truth++;
      const objects = components(shown, c + 1, height, width).map((cells) => ({
        area: cells.length,
        right: cells.filter((cell) => target[cell] === c + 1).length,
      }));
      for (const [k, candidate] of CANDIDATES.entries()) {
        const stay = kept(objects, candidate, target.length);
        const predicted = stay.reduce((sum, { area }) => sum + area, 0);
        const right = stay.reduce((sum, object) => sum + object.right, 0);
        sums[k] = (sums[k] ?? 0) + (predicted + truth === 0 ? 1 : (2 * right) / (predicted + truth));
      }
    }
    this.images++;
  }

  /** The best rule of every foreground class; one that changes nothing where no other is better. */
  rules(): ClassRule[] {
    return this.#sums.map((sums, c) => {
      const before = sums[0] ?? 0;
      let best = 0;
      for (const k of CANDIDATES.keys()) if ((sums[k] ?? 0) > (sums[best] ?? 0) + 1e-9) best = k;
      const percent = (sum: number) => (100 * sum) / this.images;
      return {
        class: c + 1,
        name: this.#classes[c + 1] ?? `class ${c + 1}`,
        ...(CANDIDATES[best] ?? { largest: false, minPercent: 0 }),
        dice: { before: percent(before), after: percent(sums[best] ?? 0) },
      };
    });
  }
}

/** A rule in words. */
export function ruleText({ largest, minPercent }: ClassRule): string {
  const parts = [
    ...(largest ? ["largest object only"] : []),
    ...(minPercent > 0 ? [`objects of at least ${minPercent} % of the image`] : []),
  ];
  return parts.length === 0 ? "unchanged" : parts.join(", ");
}
