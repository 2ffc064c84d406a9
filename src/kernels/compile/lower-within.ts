import type { Device } from "../device/device.ts";
import type { Graph } from "../trace/graph.ts";
import type { Value } from "../trace/op.ts";
import { lower, type PlacedDispatch } from "./lower.ts";
import { type Peak, peakOf } from "./peak.ts";

/** What of a program's options its needs depend on. */
interface Judged {
  readonly name?: string;
  readonly keep?: readonly Value[];
  readonly placed?: ReadonlyMap<number, string>;
}

/**
 * The dispatches of a trace for a device, whose memory is judged before they are written: what is far too large takes long.
 * Throws OutOfMemoryError where memory or bindings do not suffice.
 */
export function lowerWithin(
  device: Device,
  graph: Graph,
  { name = "program", keep = [], placed }: Judged,
): { readonly dispatches: PlacedDispatch[]; readonly peak: Peak } {
  const peak = peakOf(graph, keep, placed?.keys());
  device.requireRoom(peak, name);
  return { dispatches: lower(graph, device.target), peak };
}
