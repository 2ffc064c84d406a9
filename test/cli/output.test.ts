import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mainFile, svanet } from "../support/svanet.ts";

const root = mkdtempSync(join(tmpdir(), "svanet-output-"));
const at = (...names: string[]) => join(root, ...names);
const file = at("file");
writeFileSync(file, "mine");
writeFileSync(at("net.safetensors"), "no checkpoint");
writeFileSync(at("image.png"), "no image");
mkdirSync(at("raw"));

/** Every command that writes, with inputs that it would refuse if it looked at them: the output comes first. */
const COMMANDS: Readonly<Record<string, (out: string) => string[]>> = {
  train: (out) => ["train", "--data", at("no-data"), "--out", out],
  ablate: (out) => ["ablate", "table6", "--data", at("no-data"), "--out", out],
  predict: (out) => ["predict", at("net.safetensors"), at("image.png"), "--out", out],
  eval: (out) => ["eval", at("net.safetensors"), "--data", at("no-data"), "--out", out],
  synth: (out) => ["data", "synth", "cells", "--train", "1", "--val", "1", "--out", out],
  prepare: (out) => ["data", "prepare", "folder", "--from", at("raw"), "--out", out],
  fix: (out) => ["data", "verify", at("no-data"), "--fix", out],
  demo: (out) => ["demo", "--out", out],
  convert: (out) => ["convert", at("net.safetensors"), "--out", join(out, "x.onnx")],
};

describe.each(Object.entries(COMMANDS))("svanet %s", (_name, command) => {
  test("refuses an output on or below a file before it reads or opens anything", () => {
    const { status, stderr } = svanet(...command(join(file, "sub")));
    expect(stderr).toContain(`${file} is a file; name a folder`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(status).toBe(2);
    expect(readFileSync(file, "utf8")).toBe("mine");
  });
});

test.runIf(process.platform === "linux")("an output that can never be made is refused, without a hang", () => {
  const { status, stderr } = svanet(...(COMMANDS["predict"]?.("/proc/x") ?? []));
  expect(stderr).toMatch(/^svanet: --out \/proc\/x: the folder cannot be made: .+\n$/);
  expect(status).toBe(1);
});

/** Runs a command in a shell that lets no file grow beyond `kibibytes`: writing fails in the middle, as on a full disk. */
function limited(kibibytes: number, args: readonly string[]) {
  const words = [process.execPath, mainFile, ...args].map((word) => `'${word}'`).join(" ");
  return spawnSync("bash", ["-c", `ulimit -f ${kibibytes}; exec ${words}`], { encoding: "utf8" });
}

test.runIf(process.platform === "linux")(
  "a disk that takes no more ends in one sentence and leaves no half set",
  () => {
    const out = at("limited");
    const { status, stderr } = limited(8, ["data", "synth", "cells", "--train", "1", "--val", "1", "--out", out]);
    expect(stderr).toMatch(
      /^svanet: .*limited.*: cannot be written: the file would be larger .*; choose another disk\n$/,
    );
    expect(status).toBe(1);
    expect(readdirSync(root).filter((name) => name.startsWith("limited"))).toEqual([]);
    expect(existsSync(out)).toBe(false);
  },
);
