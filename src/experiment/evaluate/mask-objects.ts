import { readMask } from "../../data/decode.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import { type CountRule, type ObjectShare, objectShares } from "../../metrics/strata.ts";

/** One mask to measure; plain data, so that it can travel to a thread. */
export interface MaskTask {
  readonly mask: string;
  /** The image's number, for the objects found. */
  readonly image: number;
  readonly count: CountRule;
  readonly area: AreaRule;
}

export type MaskObjects = ObjectShare[];

/** The objects of a mask file at its own resolution. Throws DataError where it cannot be read. */
export async function objectsOfMask({ mask, image, count, area }: MaskTask): Promise<MaskObjects> {
  const { data, width, height } = await readMask(mask);
  return objectShares(data, height, width, { image, area, count });
}
