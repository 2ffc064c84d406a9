import { fileURLToPath } from "node:url";
import { sizeOf } from "../../src/kernels/trace/shape.ts";
import type { StoredTensor } from "../../src/weights/safetensors.ts";
import { readSafetensors } from "../../src/weights/safetensors-file.ts";
import { floats, type TorchTensor, zipFile } from "./pth-writer.ts";

/** torchvision's feature maps with weights drawn as here; test/oracle/resnet_maps.py wrote them. */
export async function torchvisionMaps() {
  const path = fileURLToPath(new URL("../feature-maps/resnet.safetensors", import.meta.url));
  const { tensors, metadata } = await readSafetensors(path);
  const tensor = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (!found) throw new Error(`${path} has no ${name}`);
    return found;
  };
  /** torch.save's file of a model's state dict: torchvision's names and shapes, drawn numbers. */
  const stateDict = (model: string): Uint8Array => {
    const entries = JSON.parse(metadata.get(model) ?? "[]") as [string, number[]][];
    return zipFile(Object.fromEntries(entries.map(([name, shape]) => [name, drawn(name, shape)])));
  };
  return { tensor, stateDict };
}

/** `offset` and `factor` times numbers in [-1, 1), multiples of 2^-23, that the name decides. */
function uniform(name: string, count: number, offset: number, factor: number): Float32Array {
  let seed = 0x811c9dc5;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (seed + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    out[i] = offset + factor * (((x ^ (x >>> 16)) >>> 8) / 2 ** 23 - 1);
  }
  return out;
}

function drawn(name: string, shape: readonly number[]): TorchTensor {
  const count = sizeOf(shape);
  if (name.endsWith("num_batches_tracked")) {
    const bytes = Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0);
    return { storage: { type: "LongStorage", count, bytes }, shape, strides: [] };
  }
  if (shape.length > 1) return floats(uniform(name, count, 0, Math.sqrt(6 / sizeOf(shape.slice(1)))), shape);
  if (name.endsWith(".weight")) return floats(uniform(name, count, 0.75, 0.25), shape);
  return floats(name.endsWith(".running_var") ? uniform(name, count, 1, 0.5) : uniform(name, count, 0, 0.25), shape);
}
