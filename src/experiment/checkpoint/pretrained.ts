import type { Network } from "../../training/network.ts";
import { float32, int32 } from "../../weights/safetensors.ts";
import { readTrustedWeights } from "./checkpoint.ts";
import { fitWeights, slotsOf } from "./fit-weights.ts";

export interface Pretrained {
  /** Tensors that were loaded, and tensors of the network that keep their random start. */
  readonly loaded: number;
  readonly random: number;
  /** Sentences on how names were understood, and with `partial` on everything that was left out. */
  readonly notes: readonly string[];
}

/**
 * Starts a network from a PyTorch file, a safetensors file or a checkpoint of ours, by our names or public ones
 * (`NAME_MAPS`: encoders, and the comparison networks whole). Every tensor of the file must have a place and fit it, and
 * the encoder, or the whole network when the file has more, must be complete; what is not so is listed at once.
 * `partial` allows it.
 */
export async function loadPretrained(
  network: Network,
  path: string,
  { partial = false }: { readonly partial?: boolean } = {},
): Promise<Pretrained> {
  const slots = slotsOf(network.config);
  const { tensors, notes } = fitWeights(slots, await readTrustedWeights(path), { label: `--weights ${path}`, partial });
  for (const { name, kind } of slots) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    if (kind === "region") network.regions.set(name, int32(tensor));
    else network.write(name, float32(tensor));
  }
  return { loaded: tensors.size, random: slots.length - tensors.size, notes };
}
