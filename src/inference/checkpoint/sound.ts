import type { ParameterTable } from "../../model/parameters.ts";
import { float32, type StoredTensor } from "../../weights/safetensors.ts";

/**
 * Largest magnitudes that a training which works has been seen near of, with much to spare: beyond them products
 * overflow within a layer or two. What an optimizer keeps need only be finite.
 */
const MOST = { weight: 1e6, statistic: 1e12, region: Number.MAX_VALUE } as const;

/**
 * Says which number of a state nobody could go on from: one that is not finite, or a weight or statistic beyond all use;
 * null where every number is sound.
 */
export function unsoundNumber(table: ParameterTable, tensors: ReadonlyMap<string, StoredTensor>): string | null {
  for (const [name, tensor] of tensors) {
    if (tensor.dtype !== "F32") continue;
    const most = table.has(name) ? MOST[table.get(name).kind] : Number.MAX_VALUE;
    const values = float32(tensor);
    // NaN is not below anything.
    const at = values.findIndex((value) => !(Math.abs(value) <= most));
    if (at >= 0) return `${name} holds ${values[at]}`;
  }
  return null;
}
