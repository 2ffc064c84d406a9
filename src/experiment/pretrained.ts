import { extname } from "node:path";
import { CheckpointError, UsageError } from "../errors.ts";
import type { Parameter } from "../model/parameters.ts";
import { nearestName } from "../nearest.ts";
import { float32, int32, readSafetensors, type StoredTensor } from "../weights/safetensors.ts";
import { torchvisionName } from "../weights/torchvision.ts";
import type { Network } from "./network.ts";

/**
 * Starts a network from a safetensors file: torchvision's names fill the encoder, ours (a checkpoint's) fill whatever
 * they name, the encoder at least. Every tensor of the file must have a place and fit it; all that do not are listed
 * at once. Returns how many tensors were loaded and how many start random.
 */
export async function loadPretrained(network: Network, path: string): Promise<{ loaded: number; random: number }> {
  if (extname(path) !== ".safetensors") {
    throw new UsageError(`--weights ${path}: only .safetensors files are read; convert the file to safetensors first`);
  }
  const { tensors } = await readSafetensors(path);
  const found = new Map<string, StoredTensor>();
  const problems: string[] = [];
  for (const [name, tensor] of tensors) {
    const ours = ourName(network, name);
    if (ours === null) continue;
    const problem = misfit(network, name, ours, tensor);
    if (problem) problems.push(problem);
    else found.set(ours, tensor);
  }
  const entries = network.table.list();
  for (const { name } of entries) {
    if (name.startsWith("encoder.") && !found.has(name)) problems.push(`${name} is missing`);
  }
  if (problems.length > 0)
    throw new CheckpointError(`--weights ${path} does not fit the network: ${problems.join("; ")}`);
  for (const entry of entries) put(network, entry, found.get(entry.name));
  return { loaded: found.size, random: entries.filter(({ name }) => !found.has(name)).length };
}

/** Our name of a tensor; null for one that is left out on purpose. */
function ourName(network: Network, name: string): string | null {
  if (network.table.has(name)) return name;
  if (name.startsWith("optimizer.")) return null;
  const mapped = torchvisionName(name);
  return mapped ? `encoder.${mapped}` : mapped === null ? null : name;
}

function misfit(network: Network, name: string, ours: string, { shape }: StoredTensor): string | null {
  if (!network.table.has(ours)) {
    const near = nearestName(
      ours,
      network.table.list().map((entry) => entry.name),
    );
    return `${name} has no place in the network${near ? ` (nearest: ${near})` : ""}`;
  }
  const wanted = network.table.get(ours).shape;
  return shape.join() === wanted.join() ? null : `${name} is [${shape}], ${ours} is [${wanted}]`;
}

function put(network: Network, { name, kind }: Parameter, tensor: StoredTensor | undefined): void {
  if (!tensor) return;
  if (kind === "region") network.regions.set(name, int32(tensor));
  else network.write(name, float32(tensor));
}
