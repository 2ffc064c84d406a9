import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const GATE = fileURLToPath(new URL("../../.ci/run", import.meta.url));

/** Runs the gate with an npm that only says what each suite is given to say and exits as told. */
function gate(first: { says: string; code: number }, second: { says: string; code: number }) {
  const folder = mkdtempSync(join(tmpdir(), "svanet-gate-"));
  const answer = ({ says, code }: typeof first) => `printf '%s\\n' '${says}'; exit ${code}`;
  const npm = `#!/bin/sh\ncase "$*" in\ntest) ${answer(first)};;\n"run test:system") ${answer(second)};;\nesac\nexit 99\n`;
  writeFileSync(join(folder, "npm"), npm);
  chmodSync(join(folder, "npm"), 0o755);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env["PATH"]}` };
  const { stdout, status } = spawnSync("bash", [GATE], { env, encoding: "utf8" });
  return { last: stdout.trimEnd().split("\n").at(-1), status };
}

describe("the gate", () => {
  const good = { says: "7 passed, 0 failed", code: 0 };

  test("ends with the sum of both suites' counts", () => {
    expect(gate(good, { says: "5 passed, 0 failed", code: 0 })).toEqual({ last: "12 passed, 0 failed", status: 0 });
  });

  test("fails when either suite fails, and runs the other all the same", () => {
    const bad = { says: "6 passed, 2 failed", code: 1 };
    expect(gate(bad, good)).toEqual({ last: "13 passed, 2 failed", status: 1 });
    expect(gate(good, bad)).toEqual({ last: "13 passed, 2 failed", status: 1 });
  });

  test("counts a suite that fails outside its tests as one failure", () => {
    const broken = { says: "error: no such thing", code: 2 };
    expect(gate(broken, good)).toEqual({ last: "7 passed, 1 failed", status: 2 });
    expect(gate(good, { says: "nothing at all", code: 0 })).toEqual({ last: "7 passed, 1 failed", status: 1 });
    expect(gate({ says: "0 passed, 0 failed", code: 1 }, good)).toEqual({ last: "7 passed, 1 failed", status: 1 });
    expect(gate(good, { says: "5 passed, 0 failed", code: 3 })).toEqual({ last: "12 passed, 1 failed", status: 3 });
    expect(gate(broken, broken)).toEqual({ last: "0 passed, 2 failed", status: 2 });
  });
});
