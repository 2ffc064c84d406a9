/**
 * Runs the tests that need packages of the system, after `npm run setup`. What is missing is installed by apt where this
 * runs as root on Debian or Ubuntu, and named otherwise; nothing is done twice. SVANET_NO_SYSTEM_INSTALL=1 forbids
 * installing. The exit code is the tests' own, 1 when something is missing.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { aptInstall, driverPlan } from "./driver.mjs";
import { fileOf, NEEDS, systemPlan } from "./system-packages.mjs";

const say = (text) => console.error(`svanet test:system: ${text}`);
const missing = () => NEEDS.filter((need) => fileOf(need) === undefined);

function obtain() {
  const machine = {
    root: process.getuid?.() === 0,
    apt: process.platform === "linux" && driverPlan().kind === "apt",
    forbidden: process.env.SVANET_NO_SYSTEM_INSTALL === "1",
  };
  const plan = systemPlan(missing(), machine);
  if (plan.kind === "sentence") throw new Error(plan.text);
  if (plan.kind === "install") aptInstall(plan.packages, say);
  const left = systemPlan(missing(), { ...machine, root: false });
  if (left.kind === "sentence") throw new Error(`after installing still ${left.text}`);
}

/** The tests, with the files that answer the needs named in their environment. */
function runTests() {
  const files = NEEDS.map((need) => [need.variable, fileOf(need)]);
  const launcher = fileURLToPath(new URL("run.mjs", import.meta.url));
  const command = ["vitest", "run", "--config", "vitest.system.config.ts", ...process.argv.slice(2)];
  const env = { ...process.env, ...Object.fromEntries(files) };
  return spawnSync(process.execPath, [launcher, ...command], { env, stdio: "inherit" }).status ?? 1;
}

try {
  obtain();
  process.exitCode = runTests();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
