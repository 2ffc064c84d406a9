import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { svanet } from "../support/svanet.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = () => join(mkdtempSync(join(tmpdir(), "svanet-")), "cells");

function cells(...args: string[]) {
  return spawnSync(process.execPath, [main, "data", "synth", "cells", ...args], { encoding: "utf8" });
}

test("a dataset folder is written, and --json is all that stands on stdout", () => {
  const out = folder();
  const { status, stdout } = cells("--out", out, "--train", "3", "--val", "2", "--size", "64", "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    kind: "cells",
    out,
    train: 3,
    val: 2,
    test: 0,
    size: 64,
    seed: 0,
    stratum: null,
  });
  expect(readdirSync(out).sort()).toEqual(["dataset.yaml", "mask", "train", "val"]);
  expect(readdirSync(join(out, "mask"))).toHaveLength(5);
  const second = cells("--out", out, "--train", "3", "--val", "2", "--size", "64");
  expect(second.status).toBe(1);
  expect(second.stderr).toContain("name a new folder");
});

test("bad values are wrong usage, in one sentence", () => {
  const { status, stderr } = cells("--out", folder(), "--size", "many");
  expect(status).toBe(2);
  expect(stderr).toBe("svanet: option '--size <n>' argument 'many' is invalid. Expected a whole number from 1.\n");
  const missing = cells();
  expect(missing.status).toBe(2);
  expect(missing.stderr).toContain("svanet: required option '--out <folder>' not specified");
  const near = cells("--out", folder(), "--siz", "64");
  expect(near.stderr).toContain("(Did you mean --size?)");
});

test("an explained failure shows a stack only with --debug", () => {
  expect(cells("--out", folder(), "--size", "1").stderr).not.toContain("    at ");
  expect(cells("--out", folder(), "--size", "1", "--debug").stderr).toContain("    at ");
});

test("an unknown kind or stratum is wrong usage, with the names there are", () => {
  const kind = svanet("data", "synth", "polyp", "--out", folder());
  expect([kind.status, kind.stderr]).toEqual([
    2,
    'svanet: there is no kind of pictures "polyp". Did you mean polyps?\n',
  ]);
  const stratum = svanet("data", "synth", "ct", "--out", folder(), "--stratum", "tiny");
  expect(stratum.status).toBe(2);
  expect(stratum.stderr).toContain("Allowed choices are ultra, small, large, mixed.");
});
