import type { Choice, Plan } from "../experiment/plan/plan.ts";
import { reasonText, viewName } from "../experiment/plan/plan-file.ts";
import { pixelsText, type View } from "../experiment/plan/rules.ts";
import { flagOf } from "../experiment/settings/config.ts";
import type { Column } from "./print.ts";
import { memory } from "./units.ts";

/** The columns of the ways to show images; a star marks the chosen one. */
export function viewColumns({ chosen }: Pick<Plan, "chosen">): Column<View>[] {
  const kept = (pixels: number) => (Number.isNaN(pixels) ? "-" : pixelsText(pixels));
  return [
    { title: "", cell: (view) => (view === chosen ? "*" : "") },
    { title: "shown", cell: viewName },
    { title: "10 % smallest keep", align: "right", cell: ({ smallestTenth }) => kept(smallestTenth) },
    { title: "half keep", align: "right", cell: ({ median }) => kept(median) },
    { title: "step of 2 images", align: "right", cell: ({ bytes }) => (Number.isNaN(bytes) ? "-" : memory(bytes)) },
    { title: "fits", cell: ({ fits }) => (fits ? "yes" : "no") },
  ];
}

/** The columns of a plan's settings. */
export const CHOICE_COLUMNS: readonly Column<Choice>[] = [
  { title: "setting", cell: ({ setting }) => flagOf(setting) },
  { title: "value", cell: ({ value }) => valueText(value) },
  { title: "why", cell: reasonText },
];

/** A value as its flag takes it. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, factor]) => `${name}=${factor}`)
    .join(",");
}
