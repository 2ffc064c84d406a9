import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMask, writePng } from "../../src/data/decode.ts";
import { synthKind } from "../../src/data/synth/kinds.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { loadNetwork } from "../../src/experiment/checkpoint/load-run.ts";
import { Predictor } from "../../src/inference/predictor.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { packageInfo } from "../../src/package-info.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { saveTiny } from "../support/checkpoint.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "examples");
const folder = mkdtempSync(join(tmpdir(), "svanet-library-"));
const modules = join(folder, "node_modules");
const checkpoint = join(folder, "runs", "first", "checkpoints", "best.safetensors");
let device: Device;

/** Runs a program in the folder that has the package; what it printed. */
function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** The package as npm would install it: the tarball unpacked, and its dependencies (no others) beside it. */
function install(): void {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const packed = spawnSync(npm, ["pack", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (packed.status !== 0) throw new Error(packed.stderr);
  run("tar", "-xzf", readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "");
  mkdirSync(modules);
  cpSync(join(folder, "package"), join(modules, "svanet"), { recursive: true });
  for (const name of Object.keys(packageInfo().dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
  }
}

/** The programs that docs/library.md shows: prediction, then training. */
function program(place = 0): string {
  const library = readFileSync(join(root, "docs", "library.md"), "utf8");
  return [...library.matchAll(/```ts\n([\s\S]*?)```/g)][place]?.[1] ?? "";
}

const COMPILER = join(root, "node_modules", "typescript", "bin", "tsc");
const TYPES = ["--typeRoots", join(root, "node_modules", "@types"), "--types", "node"];
const COMPILER_OPTIONS = ["--strict", "--module", "nodenext", "--target", "es2022", ...TYPES];

/** The compiler's complaints about programs that use the package. */
function compile(...args: readonly string[]): string {
  return spawnSync(process.execPath, [COMPILER, ...COMPILER_OPTIONS, ...args], { cwd: folder, encoding: "utf8" })
    .stdout;
}

/** Compiles the examples beside the package, as a project of its own would have them. */
function compileExamples(): string {
  cpSync(examples, join(folder, "examples"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return compile("--noUncheckedIndexedAccess", ...readdirSync(examples).map((file) => join("examples", file)));
}

/** The numbers of a printed line. */
const numbersIn = (line: string) => Array.from(line.matchAll(/-?\d+(\.\d+)?/g), ([number]) => Number(number));

/** What a compiled example prints. */
const example = (name: string, ...args: readonly string[]) => run(process.execPath, `examples/${name}.js`, ...args);

let complaints = "";
beforeAll(async () => {
  install();
  complaints = compileExamples();
  mkdirSync(dirname(checkpoint), { recursive: true });
  device = await openDevice();
  await saveTiny(device, checkpoint);
});
afterAll(() => {
  device.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the documented program runs from the packed tarball and predicts what we predict", async () => {
  const lines = program()
    .split("\n")
    .filter((line) => line.trim() !== "");
  expect(lines).toHaveLength(10);
  writeFileSync(join(folder, "main.mjs"), program());
  const { network, checkpoint: loaded } = await loadNetwork(device, checkpoint);
  const data = new Uint8Array(480 * 640 * 3);
  const mask = await new Predictor(network, loaded).mask({ width: 640, height: 480, channels: 3, data });
  expect(run(process.execPath, "main.mjs").trim()).toBe(`class ${mask.data[0]}`);
  network.destroy();
});

test("the package's types accept the documented programs and refuse a wrong one", () => {
  writeFileSync(
    join(folder, "right.mts"),
    `${program()}\nexport const mean: readonly number[] = checkpoint.facts.mean;`,
  );
  writeFileSync(join(folder, "wrong.mts"), program().replace("channels: 3", 'channels: "3"'));
  writeFileSync(join(folder, "training.mts"), program(1));
  const stdout = compile("--noEmit", "right.mts", "wrong.mts", "training.mts");
  expect(stdout.trim().split("\n")).toHaveLength(1);
  expect(stdout).toMatch(/^wrong\.mts.*Type 'string' is not assignable/);
});

test("the documented loop of ten lines trains from the packed tarball", async () => {
  const lines = program(1)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("import "));
  expect(lines).toHaveLength(10);
  await writeSynth(synthKind("cells"), { out: join(folder, "cells"), train: 8, val: 1, size: 64, seed: 7 });
  writeFileSync(join(folder, "loop.mjs"), program(1));
  const losses = run(process.execPath, "loop.mjs")
    .trim()
    .split("\n")
    .map((line) => numbersIn(line)[1] ?? Number.NaN);
  expect(losses).toHaveLength(4);
  for (const loss of losses) expect(loss).toBeGreaterThan(0);
});

test("the package holds what its README links to", () => {
  const text = readFileSync(join(root, "README.md"), "utf8");
  const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, to]) => to);
  expect(targets.length).toBeGreaterThan(9);
  expect(targets.filter((target) => !existsSync(join(modules, "svanet", target ?? "?")))).toEqual([]);
});

test("the examples compile against the package's types, are short, and each is run here", () => {
  expect(complaints).toBe("");
  const files = readdirSync(examples);
  expect(files).toEqual(["own-network.ts", "own-op.ts", "predict-image.ts", "train-from-code.ts"]);
  for (const file of files) expect(readFileSync(join(examples, file), "utf8").split("\n").length).toBeLessThan(61);
});

test("predict-image writes the mask that the network finds, and counts its classes", async () => {
  const width = 50;
  const data = Uint8Array.from({ length: 3 * width * 40 }, (_, i) => (i * 37 + (i % 11) * 19) % 256);
  const image = { width, height: 40, channels: 3, data } as const;
  await writePng(join(folder, "image.png"), image);
  const { network, checkpoint: loaded } = await loadNetwork(device, checkpoint);
  const mask = await new Predictor(network, loaded).mask(image);
  network.destroy();
  const pixels = (label: number) => mask.data.filter((value) => value === label).length;
  expect(new Set(mask.data).size).toBeGreaterThan(1);
  expect(example("predict-image", checkpoint, "image.png").trim().split("\n")).toEqual(
    loaded.facts.classes.map((name, label) => `${name}: ${pixels(label)} of 2000 pixels`),
  );
  expect((await readMask(join(folder, "mask.png"))).data).toEqual(mask.data);
});

test("train-from-code leaves a run folder whose network loads", async () => {
  const lines = example("train-from-code", "trained", "3").trim().split("\n");
  const best = join("trained", "run", "checkpoints", "best.safetensors");
  expect(lines.at(-1)).toBe(`3 steps done; weights: ${best}`);
  const losses = lines.filter((line) => line.startsWith("step ")).map((line) => Number(line.split(" ").at(-1)));
  expect(losses).toHaveLength(3);
  for (const loss of losses) expect(loss).toBeGreaterThan(0);
  const { network, checkpoint: trained } = await loadNetwork(device, join(folder, best));
  expect(trained.facts.progress.step).toBe(3);
  expect(trained.facts.classes).toEqual(["background", "cell"]);
  network.destroy();
});

test("own-op computes softplus and its slope", () => {
  const [values = [], slopes = []] = example("own-op").trim().split("\n").map(numbersIn);
  const xs = [-2, 0, 1, 30];
  for (const [i, x] of xs.entries()) {
    expect(values[i]).toBeCloseTo(Math.log1p(Math.exp(x)), 4);
    expect(slopes[i]).toBeCloseTo(1 / (1 + Math.exp(-x)), 4);
  }
});

test("own-network learns to tell discs from noise", () => {
  const lines = example("own-network").trim().split("\n");
  const losses = lines.filter((line) => line.startsWith("step ")).map((line) => numbersIn(line)[1] ?? Number.NaN);
  expect(losses).toHaveLength(7);
  expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0));
  expect(numbersIn(lines.at(-1) ?? "")[0]).toBeGreaterThan(90);
});
