import { saveCheckpoint } from "../../src/experiment/checkpoint/checkpoint.ts";
import { type Checkpoint, networkTensors } from "../../src/inference/checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../../src/inference/checkpoint/facts.ts";
import type { Device } from "../../src/kernels/device/device.ts";
import { SVANET_PRESETS, scaled } from "../../src/model/svanet/config.ts";
import { Network } from "../../src/training/network.ts";
import { unsettleNorms } from "./onnx.ts";

/** Facts of a network that was never trained. */
export function untrained(preset: string, config: CheckpointFacts["config"]): CheckpointFacts {
  const progress = { step: 0, epoch: 0, stepInEpoch: 0, best: null, bestEpoch: null, recipe: "" };
  const classes = Array.from({ length: config.classes }, (_, i) => `class ${i}`);
  const colours = classes.map((_, i) => [i, 0, 0] as const);
  return { preset, config, classes, colours, mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3], progress };
}

/** Writes a checkpoint of a tiny SvANet for images of 64x64 pixels and three classes. */
export async function saveTiny(device: Device, path: string): Promise<Checkpoint> {
  const tiny = scaled(SVANET_PRESETS.svanet, 8);
  const config = { ...tiny, encoder: "mini" as const, classes: 3, height: 64, width: 64 };
  const network = await Network.create(device, config, 1);
  await unsettleNorms(network);
  // So that more than one class wins somewhere.
  network.write("classifier.conv.bias", Float32Array.of(0.03, 0.03, 0));
  const tensors = await networkTensors(network);
  const facts = untrained("svanet", config);
  await saveCheckpoint(path, tensors, facts);
  network.destroy();
  return { path, facts, tensors };
}
