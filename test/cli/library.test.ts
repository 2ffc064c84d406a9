import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadNetwork } from "../../src/experiment/checkpoint/load-run.ts";
import { Predictor } from "../../src/experiment/predict/predict.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { packageInfo } from "../../src/package-info.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { saveTiny } from "../support/checkpoint.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
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
    symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
  }
}

/** The program that the README shows. */
function program(): string {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  return /## Library\n+```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
}

beforeAll(async () => {
  install();
  mkdirSync(dirname(checkpoint), { recursive: true });
  device = await openDevice();
  await saveTiny(device, checkpoint);
});
afterAll(() => {
  device.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the README's program runs from the packed tarball and predicts what we predict", async () => {
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

test("the package's types accept the program and refuse a wrong one", () => {
  writeFileSync(
    join(folder, "right.mts"),
    `${program()}\nexport const mean: readonly number[] = checkpoint.facts.mean;`,
  );
  writeFileSync(join(folder, "wrong.mts"), program().replace("channels: 3", "channels: 4"));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const options = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--skipLibCheck",
    "--types",
    "node",
  ];
  const types = ["--typeRoots", join(root, "node_modules", "@types")];
  const { stdout } = spawnSync(process.execPath, [tsc, ...options, ...types, "right.mts", "wrong.mts"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(stdout.trim().split("\n")).toHaveLength(1);
  expect(stdout).toMatch(/^wrong\.mts.*Type '4' is not assignable/);
});
