import { createRequire } from "node:module";
import { range } from "../../src/kernels/range.ts";
import { clocked, type Timed } from "./rounds.ts";

/**
 * The kernel that every round begins with: a 512x512x512 product in f32, four rows by one vec4 in the registers of each
 * invocation, without validation and without clamped indices. It says how much of the machine a round had.
 */
const SIDE = 512;
const ROWS = 4;
const AXES = ["x", "y", "z", "w"];

function text(): string {
  const rows = range(ROWS);
  const products = rows.flatMap((i) => AXES.map((axis, k) => `c${i} = fma(vec4f(a${i}.${axis}), b${k}, c${i});`));
  return `@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
@compute @workgroup_size(8, 1) fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * ${ROWS}u;
  ${rows.map((i) => `var c${i} = vec4f(0);`).join(" ")}
  for (var k = 0u; k < ${SIDE}u; k += 4u) {
    ${AXES.map((_, k) => `let b${k} = b[(k + ${k}u) * ${SIDE / 4}u + id.x];`).join("\n    ")}
    ${rows.map((i) => `let a${i} = a[(row + ${i}u) * ${SIDE / 4}u + k / 4u];`).join("\n    ")}
    ${products.join("\n    ")}
  }
  ${rows.map((i) => `c[(row + ${i}u) * ${SIDE / 4}u + id.x] = c${i};`).join("\n  ")}
}`;
}

/** Dawn crashes where its root object is collected before its device. */
const ROOTS: unknown[] = [];

export async function referenceKernel(): Promise<Timed> {
  const dawn = createRequire(import.meta.url)("webgpu") as {
    create(flags: readonly string[]): GPU;
    readonly globals: Readonly<Record<string, unknown>>;
  };
  Object.assign(globalThis, dawn.globals);
  const root = dawn.create(["enable-dawn-features=allow_unsafe_apis,skip_validation,disable_robustness"]);
  ROOTS.push(root);
  const gpu = await (await root.requestAdapter())?.requestDevice();
  if (!gpu) throw new Error("no adapter for the reference kernel");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffers = range(3).map((seed) => {
    const buffer = gpu.createBuffer({ size: 4 * SIDE ** 2, usage });
    gpu.queue.writeBuffer(
      buffer,
      0,
      Float32Array.from({ length: SIDE ** 2 }, (_, i) => ((i * 31 + seed) % 17) / 17 - 0.5),
    );
    return buffer;
  });
  const module = gpu.createShaderModule({ code: text() });
  const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return clocked(() => {
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(SIDE / 32, SIDE / ROWS);
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    return gpu.queue.onSubmittedWorkDone();
  });
}
