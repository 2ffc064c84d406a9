import { performance } from "node:perf_hooks";
import { expect, test } from "vitest";
import { openDevice } from "../../../src/platform/node/open-device.ts";

/** Keeps a GPU busy for the more rounds the more `rounds` holds; the compiler cannot know them. */
const LONG = `
@group(0) @binding(0) var<storage, read_write> rounds: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var x = rounds[id.x];
  let n = rounds[id.x];
  for (var i = 0u; i < n; i++) { x = x * 1664525u + 1013904223u; }
  rounds[id.x] = n + (x & 1u);
}`;

test("the wait for the GPU leaves the core to others", async () => {
  const device = await openDevice();
  const { gpu } = device;
  const buffer = gpu.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  const compute = { module: gpu.createShaderModule({ code: LONG }), entryPoint: "main" };
  const pipeline = gpu.createComputePipeline({ layout: "auto", compute });
  const entries = [{ binding: 0, resource: { buffer } }];
  const bound = gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  let [rounds, waited, active] = [2 ** 18, 0, 0];
  // Until it lasts: the fastest GPU needs more rounds than a software driver.
  for (; waited < 100 && rounds < 2 ** 31; rounds *= 2) {
    gpu.queue.writeBuffer(buffer, 0, new Uint32Array(64).fill(rounds));
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bound);
    pass.dispatchWorkgroups(1);
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    const before = performance.eventLoopUtilization();
    await gpu.queue.onSubmittedWorkDone();
    const wait = performance.eventLoopUtilization(before);
    [waited, active] = [wait.active + wait.idle, wait.active];
  }
  device.close();
  expect(waited).toBeGreaterThan(100);
  // Polled without a pause it would be all of it.
  expect(active / waited).toBeLessThan(0.6);
});
