import type { Device } from "../device/device.ts";
import type { PlacedDispatch } from "./lower.ts";
import type { Place } from "./state.ts";

/** All uniform blocks in one buffer, equal ones once. */
export function uploadUniforms(device: Device, dispatches: readonly PlacedDispatch[]) {
  const blocks = new Map(dispatches.filter((d) => d.uniform.length > 0).map((d) => [d.uniform.join(), d.uniform]));
  const offsets = new Map<string, number>();
  let bytes = 0;
  for (const [key, words] of blocks) {
    offsets.set(key, bytes);
    bytes += Math.ceil((words.length * 4) / 256) * 256;
  }
  const places = new Map<string, Place>();
  if (bytes === 0) return { places, buffer: null };
  const buffer = device.gpu.createBuffer({
    label: "uniforms",
    size: bytes,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  const all = new Uint32Array(bytes / 4);
  for (const [key, words] of blocks) {
    const offset = offsets.get(key) ?? 0;
    all.set(words, offset / 4);
    places.set(key, { buffer, offset, size: Math.ceil((words.length * 4) / 16) * 16 });
  }
  device.write(buffer, 0, all);
  return { places, buffer };
}
