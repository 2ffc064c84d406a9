import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { endingOf } from "../../src/cli/failure.ts";
import { wholeProgram } from "../../src/cli/whole-program.ts";
import { mainFile, svanet } from "../support/svanet.ts";

const root = mkdtempSync(join(tmpdir(), "svanet-output-"));
const at = (...names: string[]) => join(root, ...names);
const file = at("file");
writeFileSync(file, "mine");
writeFileSync(at("net.safetensors"), "no checkpoint");
writeFileSync(at("image.png"), "no image");
mkdirSync(at("raw"));

/** Every command that writes, with inputs that it would refuse if it looked at them: the output comes first. */
const WRITING: Readonly<Record<string, (out: string) => string[]>> = {
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

/** How a command ends, run in this process: it is refused before it opens anything, or the test fails. */
async function endingOfCommand(args: readonly string[]) {
  const program = new Command("svanet").exitOverride();
  const entry = COMMANDS.find(({ name }) => name === args[0]);
  if (!entry) throw new Error(`there is no command ${args[0]}`);
  const { register } = await entry.load();
  register(program.command(entry.name), wholeProgram);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    return endingOf(error, false);
  }
  throw new Error("it was not refused");
}

test.each(Object.entries(WRITING))(
  "svanet %s refuses an output on or below a file before it reads or opens anything",
  async (_name, command) => {
    const { message, exitCode } = await endingOfCommand(command(join(file, "sub")));
    expect(message).toContain(`${file} is a file; name a folder`);
    expect(message.split("\n")).toHaveLength(1);
    expect(exitCode).toBe(2);
    expect(readFileSync(file, "utf8")).toBe("mine");
  },
);

test.runIf(process.platform === "linux")("an output that can never be made is refused, without a hang", () => {
  const { status, stderr } = svanet(...(WRITING["predict"]?.("/proc/x") ?? []));
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
