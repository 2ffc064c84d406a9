import { totalmem } from "node:os";

/** Bytes of memory that this process may use: the machine's, or what its container is allowed. */
export function machineMemory(): number {
  const total = totalmem();
  const allowed = process.constrainedMemory() ?? 0; // 0, or more than there is, where nothing constrains it
  return allowed > 0 ? Math.min(allowed, total) : total;
}
