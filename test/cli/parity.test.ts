import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { spoiltOps } from "../support/spoil.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

const golden = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-parity-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("golden files of all kinds pass, and the last line counts them", () => {
  const paths = ["ops/softmax.safetensors", "ops/schedule.safetensors", "metrics", "model/mini-svanet.safetensors"];
  const { status, stdout } = svanet("parity", ...paths.map(golden));
  expect(stdout).toMatch(/\nfiles 4, cases \d+, values compared \d+, worst ratio to tolerance 0\.\d+, failures 0\n$/);
  expect(status).toBe(0);
});

test("a spoilt copy fails and is named, the sound one beside it passes", async () => {
  const ops = await spoiltOps(folder, ["softmax.safetensors", "packing.safetensors"], "channel.grad.x");
  const { status, stdout } = svanet("parity", ops);
  expect(status).toBe(1);
  expect(stdout).toMatch(
    /FAIL .*softmax\.safetensors \/ channel \/ channel\.grad\.x: 1 of \d+ values beyond tolerance/,
  );
  expect(stdout).toMatch(/packing\.safetensors .* pass/);
});

test("files that need no GPU are checked without opening one", () => {
  const result = svanetJson("parity", golden("ops/schedule.safetensors"), "--adapter", "no such adapter");
  expect(result).toMatchObject({ files: [{ failures: [] }], failures: [] });
});

test("a path that does not exist is a failure, no path at all is wrong usage", () => {
  expect(svanet("parity", join(folder, "nowhere"))).toMatchObject({ status: 1 });
  expect(svanet("parity")).toMatchObject({ status: 2, stdout: "" });
});
