import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { packageInfo } from "../../src/package-info.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

function svanet(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

test("--help lists every command, on stdout", () => {
  const { status, stdout, stderr } = svanet("--help");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const { name, summary } of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b.*${summary}`, "m"));
});

test("--version is the package's", () => {
  expect(svanet("--version").stdout).toBe(`${packageInfo().version}\n`);
});

test("an unknown option names the nearest and is wrong usage", () => {
  const { status, stdout, stderr } = svanet("--debugg");
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toBe("svanet: unknown option '--debugg'\n(Did you mean --debug?)\n");
});

test("an unknown command is wrong usage", () => {
  const { status, stderr } = svanet("trian");
  expect(status).toBe(2);
  expect(stderr).toContain("svanet: unknown command trian.");
});

test("no command at all shows the help and is wrong usage", () => {
  const { status, stdout, stderr } = svanet();
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("Usage: svanet");
});
