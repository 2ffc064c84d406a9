import { IGNORE_LABEL } from "../../labels.ts";
import type { ClassCount, PreparationPlan } from "./plan.ts";

/** How much of a class a set holds. */
export interface NamedCount extends ClassCount {
  readonly name: string;
  /** Share of all pixels, in percent. */
  readonly percent: number;
}

function nameOf(label: number, classes: PreparationPlan["classes"]): string {
  if (label === IGNORE_LABEL) return "(ignored)";
  return classes?.[label] ?? (label === 0 ? "background" : `class ${label}`);
}

/** The classes of a set with the pixels and pictures of each: those that occur and those that are named, by label. */
export function classTable(
  { classes }: Pick<PreparationPlan, "classes">,
  counted: readonly { readonly classes: readonly ClassCount[] }[],
): readonly NamedCount[] {
  const sums = new Map((classes ?? []).map((_, label) => [label, { pixels: 0, images: 0 }]));
  for (const { label, pixels, images } of counted.flatMap(({ classes: own }) => own)) {
    const before = sums.get(label) ?? { pixels: 0, images: 0 };
    sums.set(label, { pixels: before.pixels + pixels, images: before.images + images });
  }
  const total = [...sums.values()].reduce((sum, { pixels }) => sum + pixels, 0);
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([label, sum]) => ({
      label,
      name: nameOf(label, classes),
      ...sum,
      percent: total === 0 ? 0 : (100 * sum.pixels) / total,
    }));
}
