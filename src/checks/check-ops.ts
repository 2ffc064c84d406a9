import type { Device } from "../kernels/device/device.ts";
import { type CaseResult, checkCase } from "./check-case.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import { OP_CHECKS } from "./op-checks.ts";

export interface CheckOptions extends Pick<EvaluateOptions, "shader"> {
  /** Which ops; all when left out. */
  readonly filter?: (op: string) => boolean;
  /** The first case of each op only: seconds instead of a minute. */
  readonly short?: boolean;
}

/**
 * Runs the table of ops on a device, whatever it says of itself: opened with another `target`, it is given the kernels
 * of other adapters. One result a case, in order; a case that differs says so in its problems. A kernel that does not
 * compile or bind throws, as does a lost device.
 */
export async function* checkOps(device: Device, options: CheckOptions = {}): AsyncGenerator<CaseResult> {
  const { filter = () => true, short = false, ...rest } = options;
  for (const check of Object.values(OP_CHECKS)) {
    if (!filter(check.name)) continue;
    for (const one of short ? check.cases.slice(0, 1) : check.cases) yield await checkCase(device, check, one, rest);
  }
}
