import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { svanet, svanetJson } from "../support/svanet.ts";

let folder = "";
let cells = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "svanet-cli-"));
  cells = join(folder, "cells");
  const { status } = svanet("data", "synth", "cells", "--out", cells, "--train", "3", "--val", "2", "--size", "64");
  expect(status).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("verify says what a sound set holds and ends well", () => {
  const { status, stdout, stderr } = svanet("data", "verify", cells);
  expect(status).toBe(0);
  expect(stdout).toContain("Synthetic cells");
  expect(stdout).toContain("images train 3, val 2");
  expect(stdout).toMatch(/class +name +images in train +images in val/);
  expect(stdout).toMatch(/0 errors, \d+ warnings?\n$/);
  expect(stderr).toContain("10 files decoded");
});

test("verify refuses a window where nothing is seen through one", () => {
  const { status, stderr } = svanet("data", "verify", cells, "--window=0,100");
  expect(status).toBe(2);
  expect(stderr).toContain(`--window: all pictures in ${cells} have 8 bits, which are shown as they are`);
});

test("verify ends with 1 on errors, lists them as JSON, and --fix writes a set without them", () => {
  const copy = join(cells, "val", "again.png");
  copyFileSync(join(cells, "train", "train-0001.png"), copy);
  copyFileSync(join(cells, "mask", "train-0001.png"), join(cells, "mask", "again.png"));
  const out = join(folder, "fixed");
  const { status, stdout } = svanet("data", "verify", cells, "--json", "--fix", out);
  expect(status).toBe(1);
  const report = JSON.parse(stdout) as { errors: number; findings: object[]; fixed: object };
  expect(report.errors).toBe(1);
  expect(report.findings[0]).toMatchObject({
    severity: "error",
    code: "duplicate-across-splits",
    cure: "keep it in one split only",
  });
  expect(report.fixed).toMatchObject({
    out,
    leftOut: [{ image: join(cells, "train", "train-0001.png"), equalTo: copy }],
  });
  expect(existsSync(join(out, "train", "train-0001.png"))).toBe(false);
  expect(svanet("data", "verify", out).status).toBe(0);
  expect(svanet("data", "verify", cells).stdout).toContain("error duplicate-across-splits (1)\n");
});

test("verify of a folder that is no dataset is one sentence", () => {
  const { status, stderr } = svanet("data", "verify", join(folder, "nowhere"));
  expect(status).toBe(1);
  expect(stderr).toMatch(/^svanet: .*nowhere: there is no such folder; a dataset folder holds/);
});

test("stats prints Table I for one and several sets, as text and JSON, and draws the sizes", () => {
  const histogram = join(folder, "sizes.svg");
  const [row] = svanetJson("data", "stats", cells, "--area", "pixels", "--histogram", histogram) as object[];
  expect(row).toMatchObject({
    name: "Synthetic cells",
    count: "class",
    area: "pixels",
    objects: { all: expect.any(Number) },
  });
  expect(row).toHaveProperty("areaPercent");
  expect(readFileSync(histogram, "utf8")).toContain("Synthetic cells");
  const { status, stdout, stderr } = svanet("data", "stats", cells, cells, "--count", "class,component");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^dataset +capture +train .* all +small of all\n/);
  expect(stdout.split("\n").filter((line) => line.startsWith("Synthetic cells"))).toHaveLength(2);
  expect(stderr).toContain(`${cells}: one object an image and class`);
  expect(stderr).toContain(`${cells}: every component an object`);
  const rules = svanet("data", "stats", cells, "--count", "class,component");
  expect(rules.status).toBe(2);
  expect(rules.stderr).toContain("--count class,component: 2 rules for 1 folders; give one for all, or one for each");
  const wrong = svanet("data", "stats", cells, "--area", "metres");
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain("Allowed choices are release, pixels");
});
