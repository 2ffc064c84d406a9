import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";

/** What `npm run setup` wrote after unpacking a software driver without root (scripts/environment.mjs). */
export interface DriverRecord {
  /** The machines it is meant for. */
  readonly hosts: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Shared libraries in an order in which each finds the earlier ones it needs. */
  readonly libraries: readonly string[];
  readonly driver: string;
}

/** RTLD_NODELETE: Node closes a library that is no addon right away; this flag keeps it loaded. */
const KEEP_LOADED = 0x1000;
const RTLD_NOW = 2;

/** The record of this machine, or undefined. One for other hosts (a shared home folder) does not count. */
export function readDriverRecord(): DriverRecord | undefined {
  const base = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  try {
    const record = JSON.parse(readFileSync(join(base, "svanet", "vulkan", ".svanet-env.json"), "utf8")) as DriverRecord;
    return record.hosts.includes(hostname()) ? record : undefined;
  } catch {
    return undefined; // no driver was unpacked here
  }
}

/**
 * Makes the recorded driver usable in this very process, before anything opens the GPU. The dynamic linker read
 * LD_LIBRARY_PATH when the process started, so the libraries are loaded by path instead: a child process with the
 * variable set would survive a `kill -9` of its parent and go on training.
 */
export function applyDriverRecord(record = readDriverRecord()): void {
  const chosen = process.env["VK_DRIVER_FILES"] || process.env["VK_ICD_FILENAMES"];
  if (record === undefined || chosen || process.platform !== "linux") return;
  for (const library of record.libraries) {
    try {
      process.dlopen({ exports: {} }, library, RTLD_NOW | KEEP_LOADED);
    } catch {
      // Always thrown: the file is a plain library and registers no addon. Having loaded it is the effect.
    }
  }
  Object.assign(process.env, record.variables);
}
