/**
 * node scripts/run.mjs COMMAND [ARGUMENTS]: runs a command with the recorded driver environment. A command of
 * node_modules/.bin may be named without its path. The exit code is the command's.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { driverEnvironment } from "./environment.mjs";

const [command, ...rest] = process.argv.slice(2);
if (command === undefined) {
  console.error("usage: node scripts/run.mjs COMMAND [ARGUMENTS]");
  process.exit(2);
}
const root = fileURLToPath(new URL("..", import.meta.url));
const env = driverEnvironment();
env.PATH = [join(root, "node_modules", ".bin"), env.PATH].filter(Boolean).join(delimiter);

const child = spawn(command, rest, { stdio: "inherit", env, shell: process.platform === "win32" });
// A Ctrl-C in a terminal reaches the child too; this process only has to outlive it.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`cannot run ${command}: ${error.message}`);
  process.exitCode = 127;
});
child.on("exit", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
});
