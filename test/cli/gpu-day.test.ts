import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Outcome } from "../../src/bench/day/run-parts.ts";

const SCRIPT = fileURLToPath(new URL("../../bench/gpu-day.sh", import.meta.url));

test("bench/gpu-day.sh measures every part at tiny sizes and writes a document and a table", () => {
  const out = mkdtempSync(join(tmpdir(), "gpu-day-"));
  try {
    const { status, stderr } = spawnSync("bash", [SCRIPT, "--tiny", "--out", out], { encoding: "utf8" });
    const day = JSON.parse(readFileSync(join(out, "gpu-day.json"), "utf8")) as { readonly parts: readonly Outcome[] };
    expect(day.parts.flatMap(({ name, failure }) => (failure === null ? [] : [`${name}: ${failure}`]))).toEqual([]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(day.parts.length).toBe(6);
    const table = readFileSync(join(out, "gpu-day.md"), "utf8");
    for (const { name } of day.parts) expect(table).toContain(`| ${name} |`);
    expect(table).toMatch(/\| fps unet \| .* images\/s/);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}, 300_000);

test.each([
  [["--nope"], "Unknown option '--nope'"],
  [["--seconds", "soon"], "--seconds soon: a number above 0 is wanted"],
])("bench/gpu-day.sh %j is wrong usage", (given, said) => {
  const { status, stderr, stdout } = spawnSync("bash", [SCRIPT, ...given], { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(said);
  expect(stderr).toContain("usage: gpu-day.sh [--out FOLDER]");
});
