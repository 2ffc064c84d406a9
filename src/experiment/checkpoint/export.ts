import { CheckpointError } from "../../errors.ts";
import { writeFileChunks } from "../../files/atomic.ts";
import { type Checkpoint, requireFit } from "../../inference/checkpoint/checkpoint.ts";
import { traceNetwork } from "../../model/zoo.ts";
import { packageInfo } from "../../package-info.ts";
import type { Message } from "../../protobuf.ts";
import { exportOnnx } from "../../weights/onnx/export-onnx.ts";
import { float32, type StoredTensor } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors-file.ts";
import { CARD_KEY, readTrustedWeights } from "./checkpoint.ts";

/** What stands before and after the model where `predict` runs it; docs/onnx.md has the same as a program. */
const SURROUNDINGS = {
  channel_order: "RGB",
  resize: "bicubic (a = -0.5) to size, aspect ratio not kept, antialiased, columns first, bytes after each axis",
  scale: "(value / 255 - mean) / std",
  logits_resize: "bilinear to the picture's size, align_corners=False, not antialiased",
  argmax: "over axis 1 of the resized logits, the first of equal ones",
} as const;

/** What stands for `resize` where a network was trained on patches at the images' own resolution. */
const NATIVE_RESIZE =
  "none: tiles of size, half overlapping, at the picture's own resolution; a smaller picture is mirrored at its right and lower border";

/** What is to be known where the network has an output more than classes. */
const BORDER_CLASS =
  "the last channel of logits: an object's pixels near another object; its softmax goes to the foreground classes in proportion to theirs before argmax";

/**
 * The network of a checkpoint as an ONNX model: its evaluation at the trained size, any batch. The image goes in as
 * `[batch, channels, height, width]`, normalised with the `mean` and `std` of the file's metadata; `logits` come out. The metadata
 * also say what is done before and after ({@link SURROUNDINGS}): `channel_order` is RGB, or the list of the channels' names, each with its
 * own entry in `channel_windows` where it has a window. A model card goes in as it is.
 */
export function checkpointToOnnx(checkpoint: Checkpoint, card?: string): Message {
  const { path, facts, tensors } = checkpoint;
  const trace = (batch: number) => traceNetwork(facts.config, { mode: "eval", batch });
  const table = trace(2).build.parameters;
  requireFit(table, checkpoint);
  const stored = new Map<string, Float32Array>();
  for (const { name, kind } of table.list()) {
    if (kind === "region") continue;
    const tensor = tensors.get(name);
    if (!tensor) throw new CheckpointError(`${path} does not fit its own network: ${name} is missing`);
    for (const [key, data] of table.toStorage(name, float32(tensor))) stored.set(key, data);
  }
  const { preset, classes, mean, std, window, channels, resolution, borders } = facts;
  const size = [facts.config.width, facts.config.height];
  const described = {
    ...{ preset, classes, mean, std, size, ...SURROUNDINGS },
    ...(resolution === "native" ? { resize: NATIVE_RESIZE } : {}),
    ...(borders === undefined ? {} : { border_class: BORDER_CLASS }),
    ...(window ? { window } : {}),
    ...(channels ? { channel_order: channels.names } : {}),
    ...(channels?.windows ? { channel_windows: channels.windows } : {}),
  };
  return exportOnnx({
    trace(batch) {
      const { build, image, logits } = trace(batch);
      return { graph: build.graph, image, outputs: new Map([["logits", logits]]) };
    },
    state(key) {
      const data = stored.get(key);
      if (!data) throw new CheckpointError(`${path}: nothing is stored for ${key}`);
      return data;
    },
    version: packageInfo().version,
    metadata: new Map([
      ...Object.entries(described).map(([key, value]) => [key, JSON.stringify(value)] as const),
      ...(card === undefined ? [] : [[CARD_KEY, card] as const]),
    ]),
  });
}

/** Writes a model of any size in one step: a reader finds the old file or the whole new one. */
export function writeOnnx(path: string, model: Message): void {
  writeFileChunks(path, model.chunks);
}

/**
 * Copies the tensors of a PyTorch file, a safetensors file or a checkpoint into a safetensors file with the same names
 * and shapes, and a model card where one is given; an optimizer's state stays behind. Returns the number of tensors and what reading had to say.
 */
export async function convertToSafetensors(
  from: string,
  to: string,
  card?: string,
): Promise<{ tensors: number; notes: readonly string[] }> {
  const { tensors, notes } = await readTrustedWeights(from);
  const kept = new Map<string, StoredTensor>([...tensors].filter(([name]) => !name.startsWith("optimizer.")));
  await writeSafetensors(
    to,
    kept,
    new Map([["format", "pt"], ...(card === undefined ? [] : [[CARD_KEY, card] as const])]),
  );
  return { tensors: kept.size, notes };
}
