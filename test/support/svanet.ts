import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The built command. */
export const mainFile = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Runs the built command to its end. */
export function svanet(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mainFile, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  return { status, stdout, stderr };
}

/** Runs a `--json` command that must end well; what it printed. */
export function svanetJson(...args: readonly string[]): unknown {
  const { status, stdout, stderr } = svanet(...args, "--json");
  if (status !== 0) throw new Error(`svanet ${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
