import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cocoTree } from "../support/raw/layout-trees.ts";
import { kitsTree } from "../support/raw/trees.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const base = mkdtempSync(join(tmpdir(), "svanet-prepare-"));
const [raw, out] = [join(base, "raw"), join(base, "kits")];
kitsTree(raw);

function data(...args: readonly string[]) {
  return spawnSync(process.execPath, [main, "data", ...args], { encoding: "utf8" });
}

test("prepare in threads, verify, stats: three commands from a download to its Table I row", () => {
  const prepared = data(
    "prepare",
    "kits23",
    "--from",
    raw,
    "--out",
    out,
    "--workers",
    "2",
    "--window",
    "-100,150",
    "--json",
  );
  expect(prepared.stderr).toContain("Shown from -100 to 150 HU");
  expect(prepared.status).toBe(0);
  expect(JSON.parse(prepared.stdout)).toMatchObject({ out, name: "KiTS23", images: { train: 8, test: 2 }, done: 5 });
  const again = data("prepare", "kits23", "--from", raw, "--out", out, "--window", "-100,150");
  expect([again.status, again.stdout]).toEqual([0, `${out}\n`]);
  expect(again.stderr).toContain("nothing was left to do");
  expect(data("verify", out).status).toBe(0);
  const stats = data("stats", out, "--json");
  expect(JSON.parse(stats.stdout)).toMatchObject([{ name: "KiTS23", images: 10, objects: { all: 10 } }]);
});

test("what is wrong is said in a sentence: wrong usage exits 2, a wrong folder 1", () => {
  const unknown = data("prepare", "kits32", "--from", raw, "--out", out);
  expect([unknown.status, unknown.stderr]).toEqual([
    2,
    expect.stringContaining('no set "kits32" (did you mean kits23?)'),
  ]);
  const window = data("prepare", "kits23", "--from", raw, "--out", out, "--window", "5");
  expect([window.status, window.stderr]).toEqual([2, expect.stringContaining("Expected two values, the lower first")]);
  const share = data("prepare", "kits23", "--from", raw, "--out", out, "--test", "1.5");
  expect([share.status, share.stderr]).toEqual([
    2,
    expect.stringContaining("argument '1.5' is invalid. Expected a share from 0 to 1."),
  ]);
  const folder = data("prepare", "atlas", "--from", raw, "--out", join(base, "atlas"));
  expect([folder.status, folder.stderr]).toEqual([
    1,
    expect.stringContaining("does not look like ATLAS. Expected: imagesTr/"),
  ]);
});

test("auto says what it recognised; --preview shows classes and three pictures and writes no dataset", async () => {
  const [from, to] = [join(base, "theirs"), join(base, "ours")];
  await cocoTree(from);
  const shown = data("prepare", "auto", "--from", from, "--out", to, "--preview", "--workers", "0");
  expect([shown.status, shown.stderr]).toEqual([
    0,
    expect.stringMatching(
      /^Recognised as COCO \(coco\): annotations.instances_train2017\.json has 3 images and 4 annotations\n/,
    ),
  ]);
  expect(shown.stdout).toMatch(/class +name +pixels +% +images\n.*\n +0 +background +510 +88\.54 +6\n/);
  expect(shown.stdout).toContain(`${join(`${to}-preview`, "preview-3.png")}: val/000000000105.jpg`);
  expect(readdirSync(`${to}-preview`)).toEqual(["preview-1.png", "preview-2.png", "preview-3.png"]);
  expect(existsSync(to)).toBe(false);
  const unused = data("prepare", "auto", "--from", from, "--out", to, "--fold", "1");
  expect([unused.status, unused.stderr]).toEqual([
    2,
    expect.stringContaining("--fold says nothing about coco: it is for nnunet"),
  ]);
  const folder = data("prepare", "coco", "--from", raw, "--out", to);
  expect([folder.status, folder.stderr]).toEqual([1, expect.stringContaining("does not look like COCO: ")]);
});
