/**
 * The driver environment: where a software Vulkan driver unpacked without root lives, and what a process must be told
 * to find it. Set-up writes the record; the launcher and (through its own small reader, src/cli/driver-environment.ts)
 * the command line apply it.
 */
import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

/** The folder that holds the unpacked driver and its record. */
export function driverCache() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(base, "svanet", "vulkan");
}

/** The record's file: `{ host, variables, libraries, driver }`. */
export function recordPath() {
  return join(driverCache(), ".svanet-env.json");
}

/**
 * The record of this machine, or undefined. A home folder is often shared between the nodes of a cluster: a record
 * written on a node without a GPU must not hide the GPU of another, so it counts only on the host that wrote it.
 */
export function readRecord() {
  try {
    const record = JSON.parse(readFileSync(recordPath(), "utf8"));
    return record.host === hostname() ? record : undefined;
  } catch {
    return undefined; // no record, or one of an older format: set-up writes a new one
  }
}

/** The process environment with the record's driver in it, unless the person has chosen a driver. */
export function driverEnvironment(record = readRecord(), env = process.env) {
  if (record === undefined || env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES) return { ...env };
  const own = record.variables.LD_LIBRARY_PATH;
  const inherited = env.LD_LIBRARY_PATH;
  return { ...env, ...record.variables, LD_LIBRARY_PATH: inherited ? `${own}:${inherited}` : own };
}
