import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../../src/errors.ts";

/** The lock file whose packages are installed, by its hash; written last. */
const STAMP = join("node_modules", ".installed");

const lockHash = (folder: string) =>
  createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");

/** Whether the packages of the folder's lock file are there. */
export function isInstalled(folder: string): boolean {
  const stamp = join(folder, STAMP);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === lockHash(folder);
}

/**
 * Installs the packages of a folder's lock file. No script of theirs runs: onnxruntime-node's would download what only a
 * CUDA provider needs. What npm prints goes to stderr. DataError where npm fails.
 */
export function install(folder: string): void {
  const { status, error } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0)
    throw new DataError(
      `npm could not install ${join(folder, "package-lock.json")}${error ? `: ${error.message}` : ""}`,
    );
  writeFileSync(join(folder, STAMP), lockHash(folder));
}
