import { UsageError } from "../../errors.ts";
import { meaningOf } from "../masks/meaning.ts";
import { highestClass, readingText } from "../masks/parse-reading.ts";
import type { MaskReading } from "../masks/reading.ts";
import { requireNamed } from "./own-data.ts";
import type { Settings } from "./plan.ts";
import { surveyMasks } from "./survey-masks.ts";

export interface ReadMasks {
  readonly reading: MaskReading;
  readonly note: string;
  /** Names beside the background, where someone gave them or the reading implies them. */
  readonly classes: readonly string[] | undefined;
}

/** The name of the only class of a reading; undefined where it has several. */
function onlyClass(reading: MaskReading): readonly string[] | undefined {
  if (highestClass(reading) !== 1) return undefined;
  return [reading.kind === "instances" ? "object" : "foreground"];
}

/**
 * What masks mean: as asked for, else as every pixel of all of them says. Throws DataError or UsageError, naming `raw`, where
 * that cannot be known.
 */
export async function readingFor(
  raw: string,
  masks: readonly string[],
  settings: Settings,
  workers: number,
): Promise<ReadMasks> {
  const { classes } = settings;
  if (settings.reading !== undefined) {
    requireNamed(settings);
    const { reading } = settings;
    const note =
      reading.kind === "instances"
        ? "Every number of the masks is one object: all are class 1, the numbers are kept in instances/"
        : `Masks are read by ${readingText(reading)}`;
    return { reading, note, classes: classes ?? onlyClass(reading) };
  }
  const { reading, note } = meaningOf(raw, await surveyMasks(masks, workers), classes?.length);
  if (highestClass(reading) === undefined) return { reading, note, classes };
  if (classes !== undefined && classes.length !== 1) {
    throw new UsageError(
      `the masks in ${raw} are black and white, --classes names ${classes.length} classes; name one, or say with --map what ` +
        "255 means (255=1, or 255=ignore)",
    );
  }
  return { reading, note, classes: classes ?? onlyClass(reading) };
}
