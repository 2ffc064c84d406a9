import ort from "onnxruntime-node";
import { networkTensors } from "../../src/experiment/checkpoint.ts";
import type { Network } from "../../src/experiment/network.ts";
import { random } from "../../src/kernels/random.ts";
import { fromChannelsLast, sizeOf, toChannelsLast } from "../../src/kernels/shape.ts";
import type { StoredTensor } from "../../src/weights/safetensors.ts";

/** What ONNX Runtime computes on its CPU from a channels-last image; outputs by name, channels last again. */
export async function runOnnx(
  model: Uint8Array,
  image: Float32Array,
  [n, h, w, c]: readonly [number, number, number, number],
): Promise<ReadonlyMap<string, Float32Array>> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["cpu"] });
  const shape = [n, c, h, w];
  const results = await session.run({ image: new ort.Tensor("float32", fromChannelsLast(image, shape), shape) });
  return new Map(Object.entries(results).map(([name, { data, dims }]) => [name, toChannelsLast(data, dims)]));
}

/** Numbers around 0 that a seed decides. */
export function noise(count: number, name: string): Float32Array {
  const walk = random(3, name);
  return Float32Array.from({ length: count }, () => walk.normal());
}

/** Gives every norm weights and statistics of its own, so that none could be left out unnoticed. Returns all tensors. */
export async function unsettleNorms(network: Network): Promise<Map<string, StoredTensor>> {
  for (const { name, shape, kind } of network.table.list()) {
    if (kind === "region" || shape.length !== 1) continue;
    const spread = noise(sizeOf(shape), name);
    const positive = name.endsWith("running_var") || name.endsWith("weight");
    network.write(
      name,
      spread.map((v) => (positive ? 1 + 0.3 * Math.abs(v) : 0.1 * v)),
    );
  }
  return networkTensors(network);
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} numbers are to be compared`);
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] ?? Number.NaN))), 0);
}
