/**
 * Builds dist/: compiles src/, bundles what browsers load, copies everything there that is not TypeScript and the golden
 * op files that `svanet doctor` runs, makes the command executable. The new tree is put in place only when it is whole, so a
 * failed build leaves the last good one.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { writeBundles } from "./bundles.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const stamp = join(root, "node_modules", ".cache", "svanet-build");
const command = join("cli", "main.js");
const goldenOps = join(root, "test", "fixtures", "ops");

/** Whether dist/ was built from exactly the sources that are here now. */
export function isBuilt() {
  return existsSync(join(dist, command)) && existsSync(stamp) && readFileSync(stamp, "utf8") === sourceHash();
}

/** Builds dist/ and returns whether that worked; messages of compiler and bundler go to the terminal. */
export async function build() {
  const hash = sourceHash();
  const fresh = join(root, `dist.partial-${process.pid}`);
  try {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const compile = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", fresh], {
      cwd: root,
      stdio: "inherit",
    });
    if (compile.status !== 0) return false;
    await writeBundles(fresh);
    copyAssets(fresh);
    makeExecutable(join(fresh, command));
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
  return true;
}

function copyAssets(target) {
  for (const file of filesUnder(join(root, "src")).filter((path) => !path.endsWith(".ts"))) {
    const copy = join(target, relative(join(root, "src"), file));
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(file, copy);
  }
  cpSync(goldenOps, join(target, "fixtures", "ops"), { recursive: true });
}

function makeExecutable(file) {
  if (!readFileSync(file, "utf8").startsWith("#!/usr/bin/env node\n")) {
    throw new Error(`${file} does not start with #!/usr/bin/env node`);
  }
  chmodSync(file, 0o755);
}

function sourceHash() {
  const hash = createHash("sha256");
  const settings = ["package.json", "tsconfig.json", "tsconfig.build.json"];
  const scripts = ["build.mjs", "bundles.mjs"].map((name) => join("scripts", name));
  for (const file of [
    ...[...settings, ...scripts].map((name) => join(root, name)),
    ...filesUnder(join(root, "src")),
    ...filesUnder(goldenOps),
  ]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

function filesUnder(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const skip = process.argv.includes("--if-stale") && isBuilt();
  if (!skip && !(await build())) process.exitCode = 1;
}
