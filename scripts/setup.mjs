/**
 * Makes a fresh clone ready: locked packages, a build, and a Vulkan adapter that answers. It uses Node's built-ins
 * only, says what it does and does nothing twice. SVANET_NO_DRIVER_INSTALL=1 forbids the driver step.
 */
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, isBuilt } from "./build.mjs";
import { adoptUnpacked, driverPlan, installWithApt, unpackWithoutRoot } from "./driver.mjs";
import { driverEnvironment, forgetThisHost, readRecord } from "./environment.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const say = (text) => console.error(`svanet setup: ${text}`);

class SetupError extends Error {}

async function main() {
  requireNode();
  if (!packagesMatch()) installPackages();
  if (!isBuilt()) {
    say("building dist/");
    if (!(await build())) throw new SetupError("the build failed; the compiler's messages are above.");
  }
  linkCommand();
  const adapter = findAdapter() ?? obtainDriver();
  say(`ready: ${adapter.description || adapter.device || adapter.vendor || "the adapter answers"}`);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`Node 20.19 or later is needed, this is ${process.versions.node}.`);
  }
}

/** npm's own record of what it installed, compared with the lock file: no stamp of ours that could lie. */
function packagesMatch() {
  const installedFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || (entry.optional && !installed[path])) return true;
    return installed[path]?.version === entry.version && existsSync(join(root, path, "package.json"));
  });
}

function installPackages() {
  say("installing the locked packages (npm ci)");
  const npm = process.env.npm_execpath;
  // No package needs its install script (SECURITY.md), so none is run.
  const args = [
    "ci",
    "--ignore-scripts",
    "--include=dev",
    "--include=optional",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const options = { cwd: root, stdio: ["ignore", process.stderr, process.stderr] };
  const result = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
  if (result.status !== 0) throw new SetupError("npm ci failed; its messages are above. Is the registry reachable?");
}

/** npm links a package's command into other projects only; `npx svanet` has to work in the clone itself. */
function linkCommand() {
  const bin = join(root, "node_modules", ".bin");
  if (process.platform === "win32") {
    writeFileSync(join(bin, "svanet.cmd"), '@node "%~dp0\\..\\..\\dist\\cli\\main.js" %*\r\n');
    return;
  }
  const link = join(bin, "svanet");
  if (lstatSync(link, { throwIfNoEntry: false })) {
    if (existsSync(link)) return;
    rmSync(link);
  }
  symlinkSync(join("..", "..", "dist", "cli", "main.js"), link);
}

/** The machine's own adapter before the unpacked driver: that one would hide a GPU that was added since. */
function findAdapter() {
  const own = probe(process.env);
  const record = readRecord();
  const chosen = process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES;
  if (own && record && !chosen) {
    say("this machine has a driver of its own now: the unpacked one is no longer used here");
    forgetThisHost();
  }
  return own ?? (record ? probe() : undefined);
}

/** What Dawn finds, asked in a process of its own; undefined when nothing answers. */
function probe(env = driverEnvironment()) {
  const result = spawnSync(process.execPath, [join(root, "scripts", "probe.mjs")], {
    env,
    encoding: "utf8",
    timeout: 120_000,
  });
  const line = (result.stdout ?? "").trim().split("\n").at(-1) ?? "";
  return result.status === 0 && line.startsWith("{") ? JSON.parse(line) : undefined;
}

function obtainDriver() {
  if (process.platform !== "linux") {
    throw new SetupError("no GPU adapter answers. macOS and Windows bring their driver: update the system.");
  }
  const plan = driverPlan();
  const manual = plan.kind === "sentence" ? plan.text : manualAdvice(plan.backports);
  if (process.env.SVANET_NO_DRIVER_INSTALL === "1") {
    throw new SetupError(`no Vulkan adapter answers, and SVANET_NO_DRIVER_INSTALL=1 forbids installing one. ${manual}`);
  }
  if (process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES) {
    throw new SetupError(
      "no Vulkan adapter answers. VK_DRIVER_FILES or VK_ICD_FILENAMES is set: unset it or correct it.",
    );
  }
  if (plan.kind === "sentence") throw new SetupError(`no Vulkan adapter answers. ${plan.text}`);
  const shared = adoptUnpacked() ? probe() : undefined;
  if (shared) return shared;
  say("no Vulkan adapter answers: getting Mesa's software driver");
  try {
    if (process.getuid?.() === 0) installWithApt(plan.backports, say);
    else unpackWithoutRoot(plan.backports, say);
  } catch (error) {
    const cache = error.code === "EACCES" ? "\nXDG_CACHE_HOME may name a cache folder you can write to." : "";
    throw new SetupError(`${error.message}${cache}\n${manual}`);
  }
  const adapter = probe();
  if (adapter) return adapter;
  const record = readRecord();
  const where = record ? `the driver in ${record.variables.LD_LIBRARY_PATH}` : "the driver apt installed";
  throw new SetupError(`${where} does not answer either. Run node scripts/probe.mjs to see what Dawn says.`);
}

function manualAdvice(backports) {
  const release = backports
    ? "from bookworm-backports (apt-get install -t bookworm-backports)"
    : "with apt-get install";
  return `By hand, as root: install mesa-vulkan-drivers and libvulkan1 ${release}.`;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
