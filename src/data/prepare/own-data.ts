import { basename, join, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { patientOf } from "../dataset/patients.ts";
import { highestClass, readingText } from "../masks/parse-reading.ts";
import type { PreparationPlan, Settings } from "./plan.ts";
import { list } from "./raw-folder.ts";
import { type Shares, splitGroups, splitRuns } from "./splits.ts";

/** What every generic plan says about itself. */
export function ownData(raw: string, modality: string, settings: Settings): Omit<PreparationPlan, "tasks" | "notes"> {
  return {
    name: basename(resolve(raw)),
    classes: settings.classes === undefined ? undefined : ["background", ...settings.classes],
    modality,
    licence: "not stated; add it",
    source: basename(resolve(raw)),
  };
}

/** Largest class index: by the names given, else whatever a mask can hold. */
export const largestLabel = ({ classes }: Settings) => classes?.length ?? 254;

/** Throws UsageError where an option maps to a class that nobody named. */
export function requireNamed({ reading, classes }: Settings): void {
  const highest = reading && highestClass(reading);
  if (reading === undefined || highest === undefined || classes === undefined || highest <= classes.length) return;
  throw new UsageError(
    `${readingText(reading)} gives class ${highest}, --classes names ${classes.length} beside the background; name ${highest}`,
  );
}

/** The folders a layout may stand in: the raw folder, or train/, val/, test/ inside it. */
export async function partsOf(raw: string): Promise<readonly { folder: string; split: SplitName | undefined }[]> {
  const folders = (await list(raw))?.folders ?? [];
  const splits = SPLIT_NAMES.filter((name) => folders.includes(name));
  if (splits.length === 0) return [{ folder: raw, split: undefined }];
  return splits.map((split) => ({ folder: join(raw, split), split }));
}

export interface Unit {
  readonly stem: string;
  readonly split: SplitName | undefined;
}

/** Splits for units whose folders do not tell: by what their names say about patients, else by runs. */
export function splitUnits(
  units: readonly Unit[],
  shares: Shares,
  what: string,
): { of: (at: number) => SplitName; note: string } {
  const fixed = units.every(({ split }) => split !== undefined);
  if (fixed) return { of: (at) => units[at]?.split ?? "train", note: "Split by the folders train, val and test" };
  const patients = units.map(({ stem }) => patientOf(stem));
  if (patients.every((patient) => patient !== undefined)) {
    const splitOf = splitGroups(patients, shares, "patients");
    return {
      of: (at) => splitOf(patients[at] ?? ""),
      note: "Split by the patient that the file names tell, drawn by seed",
    };
  }
  const [runs = []] = splitRuns([units.length], shares, what);
  return {
    of: (at) => runs[at] ?? "train",
    note: "The names do not tell the patient: one run of consecutive files is held out, its place drawn by seed",
  };
}
