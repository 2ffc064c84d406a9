import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckpointError, UsageError } from "../../../src/errors.ts";
import { loadCheckpoint, saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { importCheckpoint } from "../../../src/experiment/checkpoint/import-checkpoint.ts";
import { random } from "../../../src/kernels/random.ts";
import { sizeOf } from "../../../src/kernels/trace/shape.ts";
import { fitted, fromZoo, type NetworkConfig, traceNetwork } from "../../../src/model/zoo.ts";
import { withBackground } from "../../../src/weights/background.ts";
import { float32, int32, storeFloat32 } from "../../../src/weights/safetensors.ts";
import { floats, type TorchTensor, zipFile } from "../../support/pth-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-import-"));
const at = (name: string) => join(folder, name);

const describe = (preset: string, config: NetworkConfig) => ({
  preset,
  config,
  classes: ["background", "polyp"],
  colours: [
    [0, 0, 0],
    [255, 0, 0],
  ] as const,
  mean: [0.5, 0.4, 0.3] as const,
  std: [0.2, 0.3, 0.4] as const,
});
const tiny = (name: string) => fitted(fromZoo(name).config, { classes: 2, height: 64, width: 64, base: 4 });
const slotsOf = (config: NetworkConfig) => traceNetwork(config, { mode: "eval", batch: 2 }).build.parameters.list();

function values(name: string, shape: readonly number[]): Float32Array {
  const walk = random(9, name);
  return Float32Array.from({ length: sizeOf(shape) }, () => walk.normal());
}

/** A file of the public UNet++ without deep supervision, and what is in it by our names. */
function unetpp(change: (theirs: string, tensor: TorchTensor) => TorchTensor | undefined = (_, tensor) => tensor) {
  const config = tiny("unetpp-single");
  const state = slotsOf(config).flatMap(({ name, shape }): [string, TorchTensor][] => {
    const theirs = name
      .replace(/^node\.(\d_\d)\.(\d)\.(conv|norm)\./, (_, node, i, kind) => {
        return `conv${node}.${kind === "conv" ? "conv" : "bn"}${Number(i) + 1}.`;
      })
      .replace(/^head\.4\./, "final.");
    const tensor = change(theirs, floats(values(name, shape), shape));
    return tensor ? [[theirs, tensor]] : [];
  });
  const path = at("unetpp.pth");
  writeFileSync(path, zipFile({ state_dict: Object.fromEntries(state) }));
  return { path, config };
}

test("a public file becomes a checkpoint with every number in its place and the facts that were given", async () => {
  const { path, config } = unetpp();
  const facts = describe("unetpp-single", config);
  const { checkpoint, notes } = await importCheckpoint(path, facts, { partial: false });
  expect(notes).toEqual(["names as in the public UNet++", 'the tensors are those under "state_dict"']);
  await saveCheckpoint(at("out.safetensors"), checkpoint.tensors, checkpoint.facts);
  const read = await loadCheckpoint(at("out.safetensors"));
  expect(read.facts).toEqual({ ...facts, progress: checkpoint.facts.progress });
  expect([...read.tensors.keys()]).toEqual(slotsOf(config).map(({ name }) => name));
  for (const [name, { bytes, shape }] of read.tensors) {
    expect(Buffer.compare(bytes, new Uint8Array(values(name, shape).buffer)), name).toBe(0);
  }
});

test("one foreground output becomes two: the background's logit is 0", async () => {
  const { path, config } = unetpp((theirs, { shape, storage }) => {
    const half = new Float32Array(storage.bytes.buffer).slice(sizeOf(shape) / 2);
    return theirs.startsWith("final.")
      ? floats(half, [1, ...shape.slice(1)])
      : { ...floats(new Float32Array(storage.bytes.buffer), shape) };
  });
  const { checkpoint, notes } = await importCheckpoint(path, describe("unetpp-single", config), { partial: false });
  expect(notes.at(-1)).toBe("it has one output for the foreground: class 1 here, class 0 with the logit 0");
  const head = checkpoint.tensors.get("head.4.weight") ?? storeFloat32(new Float32Array(0), [0]);
  const wanted = values("head.4.weight", head.shape).map((value, i) => (i < 4 ? 0 : value));
  expect(float32(head)).toEqual(wanted);
  // A norm's row for the background divides by one.
  expect(float32(withBackground("norm.running_var", storeFloat32(Float32Array.of(3), [1])))).toEqual(
    Float32Array.of(1, 3),
  );
});

test("what does not fit is listed at once; --partial makes it random, the same every time", async () => {
  const { path, config } = unetpp((theirs, tensor) => {
    if (theirs === "conv0_0.conv1.weight") return undefined;
    return theirs === "final.bias" ? floats(new Float32Array(3), [3]) : tensor;
  });
  const facts = describe("unetpp-single", config);
  const failure = importCheckpoint(path, facts, { partial: false });
  await expect(failure).rejects.toThrow(CheckpointError);
  await expect(failure).rejects.toThrow("in 2 tensors (names as in the public UNet++)");
  await expect(failure).rejects.toThrow("final.bias is [3], head.4.bias is [2]");
  await expect(failure).rejects.toThrow("node.0_0.0.conv.weight is missing");
  const once = await importCheckpoint(path, facts, { partial: true });
  const again = await importCheckpoint(path, facts, { partial: true });
  expect(once.notes.at(-1)).toBe(`2 of ${slotsOf(config).length} tensors are random`);
  const drawn = once.checkpoint.tensors.get("node.0_0.0.conv.weight");
  expect(drawn?.shape).toEqual([4, 3, 3, 3]);
  expect(drawn).toEqual(again.checkpoint.tensors.get("node.0_0.0.conv.weight"));
  expect(new Set(float32(drawn ?? storeFloat32(new Float32Array(1), [1]))).size).toBeGreaterThan(100);
});

test("an encoder alone is no network", async () => {
  const config = tiny("deeplabv3");
  const encoder = slotsOf(config).filter(({ name }) => name.startsWith("encoder."));
  const state = encoder.map(({ name, shape }) => [name, floats(values(name, shape), shape)] as const);
  writeFileSync(at("encoder.pth"), zipFile(Object.fromEntries(state)));
  const failure = importCheckpoint(at("encoder.pth"), describe("deeplabv3", config), { partial: false });
  await expect(failure).rejects.toThrow(
    `holds ${encoder.length} of the network's ${slotsOf(config).length} tensors (names as in this program), its encoder alone`,
  );
});

test("region maps, which no public file holds, are drawn the same every time", async () => {
  const config = fitted({ ...fromZoo("svanet").config, encoder: "mini" } as NetworkConfig, {
    classes: 2,
    height: 64,
    width: 64,
    base: 8,
  });
  const slots = slotsOf(config);
  const state = slots.filter(({ kind }) => kind !== "region");
  const file = state.map(({ name, shape }) => [name, floats(values(name, shape), shape)] as const);
  writeFileSync(at("svanet.pth"), zipFile(Object.fromEntries(file)));
  const facts = describe("svanet", config);
  const { checkpoint } = await importCheckpoint(at("svanet.pth"), facts, { partial: false });
  const again = await importCheckpoint(at("svanet.pth"), facts, { partial: false });
  const maps = slots.filter(({ kind }) => kind === "region").map(({ name }) => checkpoint.tensors.get(name));
  expect(maps.length).toBeGreaterThan(0);
  for (const map of maps) expect(map && new Set(int32(map)).size).toBeGreaterThan(1);
  for (const [name, { bytes }] of checkpoint.tensors) {
    expect(Buffer.compare(bytes, again.checkpoint.tensors.get(name)?.bytes ?? bytes.subarray(1)), name).toBe(0);
  }
  await saveCheckpoint(at("svanet.safetensors"), checkpoint.tensors, checkpoint.facts);
  const twice = importCheckpoint(at("svanet.safetensors"), facts, { partial: false });
  await expect(twice).rejects.toThrow(UsageError);
  await expect(twice).rejects.toThrow("says itself which network it holds");
});
