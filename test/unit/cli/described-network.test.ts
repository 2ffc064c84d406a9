import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { expect, test } from "vitest";
import { addDescription, describedFacts } from "../../../src/cli/described-network.ts";
import { writePng } from "../../../src/data/decode.ts";
import { UsageError } from "../../../src/errors.ts";
import { fitted, fromZoo } from "../../../src/model/zoo.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-described-"));

/** The facts of a command line. */
function facts(...flags: readonly string[]) {
  const command = addDescription(new Command().exitOverride().configureOutput({ writeErr: () => undefined }));
  command.parse(flags, { from: "user" });
  return describedFacts(command.opts());
}

test("no flag describes no network", async () => {
  expect(await facts()).toBeUndefined();
});

test("a model with classes, size and width; ImageNet's statistics are assumed and said", async () => {
  const described = await facts(
    "--model",
    "pranet",
    "--classes",
    "background,polyp",
    "--size",
    "96x64",
    "--width",
    "8",
  );
  const config = fitted(fromZoo("pranet").config, { classes: 2, width: 96, height: 64, base: 8 });
  expect(described).toMatchObject({
    partial: false,
    facts: { preset: "pranet", classes: ["background", "polyp"], config },
  });
  expect(described?.facts).toMatchObject({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
  expect(described?.facts.colours).toHaveLength(2);
  expect(described?.assumption).toBe(
    "images are normalised with ImageNet's mean 0.485,0.456,0.406 and deviation 0.229,0.224,0.225",
  );
});

test("SvANet by its preset or name, with its parts, and what is said of its statistics", async () => {
  const described = await facts("--preset", "svanet-release", "--link", "add", "--classes", "3", "--partial");
  const config = { ...fromZoo("svanet-release").config, link: "add", classes: 3 };
  expect(described).toMatchObject({ partial: true, facts: { preset: "svanet-release", config } });
  expect(described?.facts.classes).toEqual(["class 0", "class 1", "class 2"]);
  expect(described?.assumption).toContain(
    "the authors' SvANet has its training set's: --data <folder>, or --mean and --std",
  );
  expect((await facts("--model", "svanet-release", "--classes", "3"))?.facts.preset).toBe("svanet-release");
});

test("a file of settings describes a network too, and given statistics are not assumed", async () => {
  const path = join(folder, "run.yaml");
  writeFileSync(path, "model: unet\nwidth: 8\nsize: 64\nlr: 0.1\n");
  const described = await facts("--config", path, "--classes", "2", "--mean", "0,0,0", "--std", "1,1,1");
  const config = fitted(fromZoo("unet").config, { classes: 2, width: 64, height: 64, base: 8 });
  expect(described).toMatchObject({
    assumption: undefined,
    facts: { preset: "unet", config, mean: [0, 0, 0], std: [1, 1, 1] },
  });
});

test("a data set gives classes, colours and statistics", async () => {
  const data = join(folder, "cells");
  for (const part of ["train", "mask"]) mkdirSync(join(data, part), { recursive: true });
  writeFileSync(
    join(data, "dataset.yaml"),
    "classes: [background, cell]\nmean: [0.1, 0.2, 0.3]\nstd: [0.4, 0.5, 0.6]\n",
  );
  const image = { width: 4, height: 4, channels: 3 as const, data: new Uint8Array(48).fill(9) };
  await writePng(join(data, "train", "a.png"), image);
  await writePng(join(data, "mask", "a.png"), { ...image, channels: 1, data: new Uint8Array(16).fill(1, 8) });
  const described = await facts("--model", "unet", "--data", data);
  expect(described?.assumption).toBeUndefined();
  expect(described?.facts).toMatchObject({
    classes: ["background", "cell"],
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
  });
});

test.each([
  [["--width", "8"], "--width describes a network, but not which: add --model"],
  [["--classes", "2"], "--classes describes a network, but not which: add --model"],
  [["--model", "unet"], "--classes is missing"],
  [["--model", "une", "--classes", "2"], "there is no network une. Did you mean unet"],
  [["--model", "unet", "--classes", "2", "--mean", "0,0,0"], "--mean and --std go together"],
])("%j is refused", async (flags, message) => {
  const failure = facts(...flags);
  await expect(failure).rejects.toThrow(UsageError);
  await expect(failure).rejects.toThrow(message);
});

test.each([
  [["--mean", "120,0,0"], "Expected three numbers from 0 to 1"],
  [["--mean", "0,0"], "Expected three numbers from 0 to 1"],
  [["--std", "1,0,1"], "Expected numbers above 0"],
  [["--classes", "1"], "Expected 2 to 255 classes"],
  [["--classes", "polyp"], "Expected 2 to 255 classes with the background"],
])("%j is no value", (flags, message) => {
  expect(() => facts(...flags)).toThrow(message);
});
