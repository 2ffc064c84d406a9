import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveCheckpoint } from "../../src/experiment/checkpoint/checkpoint.ts";
import { checkpointToOnnx } from "../../src/experiment/checkpoint/export.ts";
import { networkTensors } from "../../src/inference/checkpoint/checkpoint.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { fitted, fromZoo } from "../../src/model/zoo.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { Network } from "../../src/training/network.ts";
import { untrained } from "../../test/support/checkpoint.ts";
import { noise, unsettleNorms } from "../../test/support/onnx.ts";
import { ENGINES, type Engine, PIXELS, SIDE, weightsFile } from "./setting.ts";

export const NETWORKS = ["svanet", "unet"] as const;
export type NetworkName = (typeof NETWORKS)[number];

/** Small enough for a software driver, and for a phone. */
const WIDTH = 8;
const CLASSES = 3;

/** The SvANet's last biases, drawn and less the mean logits on the picture: each class wins somewhere. */
const BALANCED = Float32Array.from(
  noise(CLASSES, "classifier.conv.bias"),
  (v, i) => 0.1 * v - ([0, 0.188, 0.265][i] ?? 0),
);

/** Files of the site by name. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** The weights of networks for both engines, of the same drawn values. */
export async function weightFiles(networks: readonly NetworkName[]): Promise<Files> {
  const folder = mkdtempSync(join(tmpdir(), "svanet-bench-web-"));
  const device = await openDevice();
  try {
    const files = new Map<string, Uint8Array>();
    for (const name of networks) {
      const written = await drawnNetwork(device, name, join(folder, name));
      for (const engine of ENGINES) files.set(weightsFile(engine, name), written[engine]);
    }
    return files;
  } finally {
    device.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function drawnNetwork(device: Device, name: NetworkName, path: string): Promise<Record<Engine, Uint8Array>> {
  const config = fitted(fromZoo(name).config, { classes: CLASSES, height: SIDE, width: SIDE, base: WIDTH });
  const network = await Network.create(device, config, 1);
  await unsettleNorms(network);
  // With drawn biases one class wins everywhere.
  if (name === "svanet") network.write("classifier.conv.bias", BALANCED);
  const tensors = await networkTensors(network);
  network.destroy();
  const facts = { ...untrained(name, config), ...PIXELS };
  await saveCheckpoint(path, tensors, facts);
  return { svanet: readFileSync(path), "onnxruntime-web": checkpointToOnnx({ path, facts, tensors }).encode() };
}
