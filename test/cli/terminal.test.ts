import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());
const at = (...names: string[]) => join(scratch.path, ...names);

/** A title, a colour, a cleared screen, C1's one-byte CSI and turned writing, as they may stand in somebody's name. */
const PLANTED = "p\u001b]0;owned\u0007\u001b[31m\u001b[2J\u009b1A\u202egnp";
const SHOWN = "p\\x1b]0;owned\\x07\\x1b[31m\\x1b[2J\\x9b1A\\u202egnp";

/** Runs a command and asserts that nothing it printed is an order to the terminal, and that the planted text shows. */
function harmless(...args: readonly string[]) {
  const answer = svanet(...args);
  const printed = answer.stdout + answer.stderr;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  expect(answer.stderr).not.toContain("This is a bug");
  return { ...answer, printed };
}

test("names of files and classes, in text, in errors and as JSON", async () => {
  const folder = at("set");
  await cells(folder, 2, 1);
  renameSync(join(folder, "train", "train-0000.png"), join(folder, "train", `${PLANTED}.png`));
  writeFileSync(join(folder, "train", "x\nsvanet: all is well.png"), "no picture");
  const names = JSON.stringify(["background", PLANTED]);
  writeFileSync(join(folder, "dataset.yaml"), `name: ${JSON.stringify(`set ${PLANTED}`)}\nclasses: ${names}\n`);
  const text = harmless("data", "verify", folder);
  expect(text.status).toBe(1);
  expect(text.stdout).toContain(`set ${SHOWN}`);
  expect(text.stdout).toContain(`${SHOWN}.png: has no mask`);
  expect(text.printed).not.toMatch(/^ *svanet: all is well/m);
  const json = harmless("data", "verify", folder, "--json");
  const { findings, classes } = JSON.parse(json.stdout) as {
    findings: { file: string }[];
    classes: { name: string }[];
  };
  expect(findings.map(({ file }) => file)).toContain(join(folder, "train", `${PLANTED}.png`));
  expect(classes[1]?.name).toBe(PLANTED);
  const error = harmless("train", "--data", folder, "--out", at("run"), "--model", "unet", "--size", "32");
  expect(error.status).toBe(1);
  expect(error.stderr).toContain(SHOWN);
  expect(error.stderr).not.toMatch(/^svanet: all is well/m);
});

test("what was typed, keys of a configuration file, and the owner of a lock", async () => {
  expect(harmless("train", `--${PLANTED}`).stderr).toContain(SHOWN);
  expect(harmless(PLANTED).stderr).toContain(SHOWN);
  writeFileSync(at("config.yaml"), `data: d\nout: o\n${JSON.stringify(`${PLANTED}\nsvanet: done`)}: 1\n`);
  const config = harmless("train", "--config", at("config.yaml"));
  expect(config.stderr).toContain(SHOWN);
  expect(config.stderr).not.toMatch(/^svanet: done/m);
  mkdirSync(at("held"));
  writeFileSync(at("held", "lock"), JSON.stringify({ pid: 1, host: `${hostname()}${PLANTED}`, started: "" }));
  await cells(at("good"), 2, 1);
  const flags = ["--model", "unet", "--width", "4", "--size", "32", "--batch-size", "2", "--lr", "1e-3"];
  const held = harmless("train", "--data", at("good"), "--out", at("held"), ...flags);
  expect(held.status).toBe(2);
  expect(held.stderr).toContain(SHOWN);
});
