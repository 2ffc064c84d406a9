/**
 * Child of null-device.ts, in whose environment RADV has a device without hardware: compiles the kernels of a JSON-lines file
 * in turn. The layer writes what the compiler made of each; this says on stdout, a line a kernel, whether it took it.
 */
import { readFileSync } from "node:fs";
import { create, globals } from "webgpu";

/** What kernels may ask for. */
const FEATURES = ["subgroups", "shader-f16", "subgroup-size-control", "chromium-experimental-subgroup-matrix"];
const LIMITS = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const;

Object.assign(globalThis, globals);
const gpu = create(["backend=vulkan", "enable-dawn-features=allow_unsafe_apis"]);
const adapter = await gpu.requestAdapter();
if (adapter === null) throw new Error("RADV offers no device here");
const device = await adapter.requestDevice({
  requiredFeatures: FEATURES.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
  requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
});
say({ driver: adapter.info.description });
for (const line of readFileSync(process.argv[2] ?? "", "utf8")
  .trim()
  .split("\n")) {
  const { label, wgsl } = JSON.parse(line) as { readonly label: string; readonly wgsl: string };
  say({ error: await compile(label, wgsl) });
}
// The device has neither queues nor fences: nothing of it can be closed.
process.exit(0);

/** What is wrong with a kernel; null when it compiles. */
async function compile(label: string, wgsl: string): Promise<string | null> {
  const module = device.createShaderModule({ label, code: wgsl });
  try {
    await device.createComputePipelineAsync({ label, layout: "auto", compute: { module } });
    return null;
  } catch (error) {
    const [first] = (await module.getCompilationInfo()).messages.filter(({ type }) => type === "error");
    return first ? `line ${first.lineNum}: ${first.message}` : String(error);
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
