import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus, hostname, release, totalmem } from "node:os";
import { join } from "node:path";
import { packageInfo, packageRoot } from "../../package-info.ts";

/** What a figure or a run has to name beside it: software, machine, adapter, command. */
export interface Environment {
  readonly started: string;
  readonly command: readonly string[];
  readonly svanet: string;
  /** The commit of the clone svanet runs from, `+` after it when files were changed; null for an installed package. */
  readonly commit: string | null;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly system: string;
  readonly host: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** What the caller knows about the GPU; null when none was opened. */
  readonly adapter: Readonly<Record<string, unknown>> | null;
}

/** Describes this process and machine. */
export function describeEnvironment(adapter: Environment["adapter"]): Environment {
  const { version, dependencies } = packageInfo();
  return {
    started: new Date(Date.now() - process.uptime() * 1000).toISOString(),
    command: ["svanet", ...process.argv.slice(2)],
    svanet: version,
    commit: commit(),
    node: process.versions.node,
    packages: dependencies,
    system: `${process.platform} ${release()} ${process.arch}`,
    host: hostname(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    adapter,
  };
}

function commit(): string | null {
  if (!existsSync(join(packageRoot, ".git"))) return null;
  const git = (...args: string[]) => spawnSync("git", ["-C", packageRoot, ...args], { encoding: "utf8" });
  const head = git("rev-parse", "HEAD");
  if (head.status !== 0) return null;
  const changed = git("status", "--porcelain", "--untracked-files=no").stdout.trim() !== "";
  return `${head.stdout.trim()}${changed ? "+" : ""}`;
}
