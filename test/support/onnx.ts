import ort from "onnxruntime-node";
import { networkTensors } from "../../src/inference/checkpoint/checkpoint.ts";
import { random } from "../../src/kernels/random.ts";
import { fromChannelsLast, sizeOf, toChannelsLast } from "../../src/kernels/trace/shape.ts";
import type { Network } from "../../src/training/network.ts";
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

/** Fields of a protobuf message: numbers as they are, everything else as bytes. */
function* fields(bytes: Uint8Array): Generator<readonly [field: number, value: number | Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    const length = kind === 5 ? 4 : kind === 2 ? varint() : 0;
    if (kind === 0) yield [Math.floor(tag / 8), varint()];
    else yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
    at += length;
  }
}

/** Shapes of a model's stored tensors by name, but for those that only the export made. */
export function initialisers(model: Uint8Array): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  const within = (bytes: Uint8Array, field: number) => [...fields(bytes)].filter(([key]) => key === field);
  for (const [, graph] of within(model, 7)) {
    if (typeof graph === "number") continue;
    for (const [, tensor] of within(graph, 5)) {
      if (typeof tensor === "number") continue;
      const shape = within(tensor, 1).map(([, extent]) => Number(extent));
      const [[, name] = []] = within(tensor, 8);
      const text = typeof name === "object" ? new TextDecoder().decode(name) : "";
      if (!text.startsWith("constant_")) found.set(text, shape);
    }
  }
  return found;
}
