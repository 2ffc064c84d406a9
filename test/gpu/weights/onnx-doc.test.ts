import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readImage, readMask, writePng } from "../../../src/data/decode.ts";
import { checkpointToOnnx, writeOnnx } from "../../../src/experiment/checkpoint/export.ts";
import { networkTensors } from "../../../src/inference/checkpoint/checkpoint.ts";
import { Predictor } from "../../../src/inference/predictor.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { untrained } from "../../support/checkpoint.ts";
import { tinyNetwork } from "../../support/nets.ts";
import { noise, unsettleNorms } from "../../support/onnx.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "svanet-onnx-"));
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  device.close();
  rmSync(folder, { recursive: true });
});

/** Moves the classes' biases so that no class is above the others everywhere. */
async function level(network: Network): Promise<void> {
  const { height, width } = network.config;
  const { program, logits, feed } = await network.inference({ batch: 1 });
  feed(program, noise(3 * height * width, "level"));
  program.run();
  const values = await program.read(logits);
  const means = [0, 1, 2].map(
    (c) => values.filter((_, i) => i % 3 === c).reduce((sum, v) => sum + v, 0) / (height * width),
  );
  const bias = network.table.list("weight").findLast(({ shape }) => shape.length === 1 && shape[0] === 3)?.name ?? "";
  const own = (await network.read()).get(bias) ?? new Float32Array(3);
  network.write(
    bias,
    own.map((v, c) => v - (means[c] ?? 0)),
  );
  program.destroy();
}

test("the program of docs/onnx.md, without svanet, finds the mask that predict finds", async () => {
  const [, script = ""] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, "docs", "onnx.md"), "utf8")) ?? [];
  expect(script).not.toContain("svanet");
  writeFileSync(join(folder, "mask.mjs"), script);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  const config = tinyNetwork("unet", { classes: 3, height: 64, width: 96 });
  const network = await Network.create(device, config, 1);
  await unsettleNorms(network);
  await level(network);
  const tensors = await networkTensors(network);
  const facts = { ...untrained("unet", config), mean: [0.41, 0.33, 0.29], std: [0.21, 0.17, 0.25] } as const;
  const checkpoint = { path: "net", facts, tensors };
  writeOnnx(join(folder, "net.onnx"), checkpointToOnnx(checkpoint));
  const predictor = new Predictor(network, checkpoint);
  // Larger than the network's size along one axis and smaller along the other, and of its size.
  for (const [width, height] of [
    [61, 251],
    [96, 64],
  ] as const) {
    const wave = (i: number) => Math.round(127 + 80 * Math.sin(i / 41) + ((i * 37) % 47));
    const image = {
      width,
      height,
      channels: 3,
      data: Uint8Array.from({ length: 3 * width * height }, (_, i) => wave(i)),
    } as const;
    await writePng(join(folder, "a.png"), image);
    const { status, stderr } = spawnSync(process.execPath, ["mask.mjs", "net.onnx", "a.png", "mask.png"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const ours = await predictor.mask(await readImage(join(folder, "a.png")));
    const theirs = await readMask(join(folder, "mask.png"));
    expect([theirs.width, theirs.height]).toEqual([width, height]);
    expect(new Set(ours.data).size).toBeGreaterThan(1);
    const equal = ours.data.filter((label, i) => label === theirs.data[i]).length;
    expect(equal / ours.data.length).toBeGreaterThanOrEqual(0.9999);
  }
  predictor.destroy();
  network.destroy();
});
