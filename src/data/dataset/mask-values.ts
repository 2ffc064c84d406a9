import { IGNORE_LABEL } from "../../labels.ts";
import type { Problem } from "./problems.ts";

interface MaskValues {
  readonly mask: string;
  readonly labels: readonly (readonly [label: number, pixels: number])[];
}

const ignoredPixels = ({ labels }: MaskValues) => labels.find(([label]) => label === IGNORE_LABEL)?.[1] ?? 0;
const hasObjects = ({ labels }: MaskValues) => labels.some(([label]) => label !== 0 && label !== IGNORE_LABEL);

/**
 * The problem of a split whose masks know no other values than 0 and 255, drawn as black and white where the class
 * index 1 is meant: with 255 = ignore nothing would be learnt. Undefined where labels occur.
 */
export function zeroAnd255Problem(folder: string, masks: readonly MaskValues[]): Problem | undefined {
  const white = masks.filter((mask) => ignoredPixels(mask) > 0);
  const [first] = white;
  if (first === undefined || masks.some(hasObjects)) return undefined;
  const cure = "Rewrite 255 as 1 in every mask";
  const message =
    `${folder}: its ${masks.length} masks hold only the values 0 and 255 (first: ${first.mask}, ${ignoredPixels(first)} pixels ` +
    "of 255). A pixel's value is its class: 0 is background, 1 the first class (foreground), and 255 means 'ignore', so these " +
    `masks name no object at all. ${cure}`;
  return { code: "mask-0-255", file: folder, message, cure };
}

/** A sentence about single masks of 0 and 255 in a set that otherwise never uses 255 beside labels; undefined if none. */
export function zeroAnd255Warning(masks: readonly MaskValues[]): string | undefined {
  if (masks.some((mask) => hasObjects(mask) && ignoredPixels(mask) > 0)) return undefined;
  const odd = masks.filter((mask) => ignoredPixels(mask) > 0);
  const [first] = odd;
  if (first === undefined) return undefined;
  return (
    `${first.mask}${odd.length > 1 ? ` and ${odd.length - 1} more masks` : ""}: only the values 0 and 255 occur, and no mask ` +
    "with labels uses 255. 255 means 'ignore'; where foreground is meant, rewrite 255 as 1"
  );
}
