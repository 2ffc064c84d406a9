import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPS } from "../../src/kernels/ops.ts";
import { spoiltOps } from "../support/spoil.ts";
import { mainFile, svanet, svanetJson } from "../support/svanet.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-doctor-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the op files lie in the built package and all pass here", async () => {
  const shipped = fileURLToPath(new URL("../../dist/fixtures/ops", import.meta.url));
  const files = (await readdir(shipped)).map(() => ({ failures: [] }));
  expect(files.length).toBeGreaterThan(12);
  const found = svanetJson("doctor");
  expect(found).toMatchObject({
    adapter: { name: expect.any(String), driver: expect.any(String), features: expect.any(Array) },
    memory: { buffer: expect.any(Number), binding: expect.any(Number), storageBuffers: expect.any(Number) },
    subgroupMatrix: expect.any(Array),
    fixtures: { files, failures: [] },
    definitions: { ops: Object.keys(OPS).length, values: expect.any(Number), failures: [] },
    speed: { copyGigabytesPerSecond: expect.any(Number), gflops: expect.any(Number), overScalar: expect.any(Number) },
    healthy: true,
  });
});

test("a failing op is named, with what to do", async () => {
  const ops = await spoiltOps(folder, ["linear.safetensors"], "c00.output");
  const { status, stdout } = svanet("doctor", "--fixtures", ops);
  expect(status).toBe(1);
  expect(stdout).toMatch(/FAIL .*linear\.safetensors/);
  expect(stdout).toMatch(/Do not train on this adapter: 1 of the op checks fail \(.*linear\.safetensors\)\./);
});

test.runIf(process.platform === "linux")("Dawn's warnings about limits reach no pipe", () => {
  const { stdout } = spawnSync("sh", ["-c", '"$0" "$1" doctor --list 2>&1 | cat', process.execPath, mainFile], {
    encoding: "utf8",
  });
  expect(stdout).toMatch(/\(.+\)/);
  expect(stdout).not.toContain("artificially");
});

test("--list names the adapters", () => {
  expect(svanetJson("doctor", "--list")).toEqual([expect.stringMatching(/.+ \(.+\)/)]);
});
