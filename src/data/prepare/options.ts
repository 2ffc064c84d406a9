import { UsageError } from "../../errors.ts";
import type { Settings } from "./plan.ts";
import type { SetName } from "./set-names.ts";

const OWN_MASKS = ["folder", "pairs", "voc", "cellpose"] as const;

/** Options that say something about some kinds of sets only, and about which. */
const FOR_KINDS = {
  map: [...OWN_MASKS, "nnunet", "decathlon", "nifti", "npz"],
  threshold: [...OWN_MASKS, "nnunet", "decathlon", "nifti", "npz"],
  palette: OWN_MASKS,
  instances: ["folder", "pairs", "cellpose"],
  page: ["folder", "pairs", "cellpose"],
  channels: ["nnunet", "decathlon"],
  fold: ["nnunet"],
  trustOrder: ["nifti", "nnunet", "decathlon", "atlas", "kits23"],
  allowGaps: ["dicom"],
  keepValues: ["nifti", "dicom", "nnunet", "decathlon", "atlas", "kits23"],
} as const satisfies Record<string, readonly SetName[]>;
type Option = keyof typeof FOR_KINDS;

const isOption = (name: string): name is Option => name in FOR_KINDS;

/** The options of the table that are given. */
function given(settings: Settings): readonly Option[] {
  const names = Object.entries(settings)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name]) => name);
  return [...names, ...(settings.reading === undefined ? [] : [settings.reading.kind])].filter(isOption);
}

/** Throws UsageError where an option says nothing about a set of the kind `set`; `auto` is asked again once it knows the kind. */
export function refuseUnused(set: SetName, settings: Settings): void {
  if (set === "auto") return;
  for (const name of given(settings)) {
    const sets: readonly SetName[] = FOR_KINDS[name];
    if (sets.includes(set)) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${option} says nothing about ${set}: it is for ${sets.join(", ")}`);
  }
}
