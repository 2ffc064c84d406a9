/**
 * npm run parity:web -- PATHS: compares golden files with what a browser computes, on Chromium's software WebGPU. The lines and
 * the exit code are those of `npm run parity`.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fileOf, NEEDS, systemPlan } from "./system-packages.mjs";

const chromium = NEEDS.find(({ variable }) => variable === "SVANET_CHROMIUM");
const file = fileOf(chromium);
if (file === undefined) {
  console.error(systemPlan([chromium], { root: false, apt: false, forbidden: false }).text);
  process.exitCode = 1;
} else {
  const launcher = fileURLToPath(new URL("run.mjs", import.meta.url));
  const program = fileURLToPath(new URL("../test/system/browser/parity-web.ts", import.meta.url));
  const env = { ...process.env, SVANET_CHROMIUM: file };
  const command = [launcher, "tsx", program, ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, command, { env, stdio: "inherit" }).status ?? 1;
}
