import type { Device } from "../device/device.ts";

/** A dispatch ready to be encoded. */
export interface Bound {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Per-kernel GPU time of one run. */
export interface Timing {
  readonly label: string;
  readonly path: string;
  readonly macs: number;
  readonly milliseconds: number;
}

/** Where a dispatch comes from, for tables and messages. */
export type Origin = Omit<Timing, "milliseconds">;

/** The GPU time of dispatches, from begin and end of each in nanoseconds. */
export function timingsOf(ticks: BigUint64Array, origins: readonly Origin[]): Timing[] {
  return origins.map(({ label, path, macs }, i) => {
    const nanoseconds = Number((ticks[2 * i + 1] ?? 0n) - (ticks[2 * i] ?? 0n));
    return { label, path, macs, milliseconds: nanoseconds / 1e6 };
  });
}

/** Dispatches that one set of queries times: it holds 4096 at the most. */
export const MOST_TIMED = 2048;

/** Runs each dispatch, {@link MOST_TIMED} at the most, in a pass of its own; returns begin and end of each in nanoseconds. */
export async function timePasses(device: Device, bound: readonly Bound[]): Promise<BigUint64Array> {
  const { gpu } = device;
  const querySet = gpu.createQuerySet({ type: "timestamp", count: bound.length * 2 });
  const resolved = gpu.createBuffer({
    size: bound.length * 16,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const encoder = gpu.createCommandEncoder();
  for (const [i, { pipeline, group, workgroups }] of bound.entries()) {
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...workgroups);
    pass.end();
  }
  encoder.resolveQuerySet(querySet, 0, bound.length * 2, resolved, 0);
  gpu.queue.submit([encoder.finish()]);
  const ticks = new BigUint64Array(await device.read(resolved, 0, bound.length * 16));
  resolved.destroy();
  querySet.destroy();
  return ticks;
}
