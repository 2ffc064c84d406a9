/**
 * The driver environment: where a software Vulkan driver unpacked without root lives, and what a process must be told
 * to find it. Set-up writes the record; the launcher and (through its own small reader, src/platform/node/driver-environment.ts)
 * the command line apply it.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

/** The folder that holds the unpacked driver and its record. */
export function driverCache() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(base, "svanet", "vulkan");
}

/** The record's file: `{ hosts, variables, libraries, driver }`. */
export function recordPath() {
  return join(driverCache(), ".svanet-env.json");
}

/** The record, whichever machine wrote it, or undefined. */
export function readAnyRecord() {
  try {
    return JSON.parse(readFileSync(recordPath(), "utf8"));
  } catch {
    return undefined; // nothing was unpacked here
  }
}

/**
 * The record when it is meant for this machine. A home folder is often shared between the nodes of a cluster: a driver
 * unpacked for a node without a GPU must not hide the GPU of another, so it counts only on the hosts it names.
 */
export function readRecord() {
  const record = readAnyRecord();
  return record?.hosts.includes(hostname()) ? record : undefined;
}

/** Takes this machine off the record: it has a driver of its own now. */
export function forgetThisHost() {
  const record = readAnyRecord();
  writeRecord({ ...record, hosts: record.hosts.filter((host) => host !== hostname()) });
}

/** Writes the record in one step. */
export function writeRecord(record) {
  const temporary = `${recordPath()}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(temporary, recordPath());
}

/** The process environment with the record's driver in it, unless the person has chosen a driver. */
export function driverEnvironment(record = readRecord(), env = process.env) {
  if (record === undefined || env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES) return { ...env };
  const own = record.variables.LD_LIBRARY_PATH;
  const inherited = env.LD_LIBRARY_PATH;
  return { ...env, ...record.variables, LD_LIBRARY_PATH: inherited ? `${own}:${inherited}` : own };
}
