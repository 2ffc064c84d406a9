import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readMask, writePng } from "../../src/data/decode.ts";
import type { ByteImage } from "../../src/data/image.ts";
import { normalise } from "../../src/data/sample.ts";
import type { Checkpoint } from "../../src/experiment/checkpoint.ts";
import { Device } from "../../src/kernels/device.ts";
import { float32, readSafetensors } from "../../src/weights/safetensors.ts";
import { saveTiny } from "../support/checkpoint.ts";
import { noise, runOnnx } from "../support/onnx.ts";
import { floats, zipFile } from "../support/pth-writer.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-convert-"));
const at = (name: string): string => join(folder, name);
let checkpoint: Checkpoint;
beforeAll(async () => {
  const device = await Device.open();
  checkpoint = await saveTiny(device, at("net.safetensors"));
  device.close();
});

function argmax(logits: Float32Array, classes: number): Uint8Array {
  return Uint8Array.from({ length: logits.length / classes }, (_, pixel) => {
    const scores = logits.subarray(pixel * classes, (pixel + 1) * classes);
    return scores.indexOf(Math.max(...scores));
  });
}

test("an exported ONNX model and svanet predict give the same mask", async () => {
  // Stripes, a ramp and noise: more than one class wins somewhere.
  const grain = noise(64 * 64 * 3, "image");
  const data = Uint8Array.from(grain, (v, i) => (i % 96 < 48 ? 30 : 200) + Math.floor(i / 400) + 10 * v);
  const image: ByteImage = { width: 64, height: 64, channels: 3, data };
  await writePng(at("image.png"), image);
  expect(svanetJson("convert", checkpoint.path, "--out", at("net.onnx"))).toMatchObject({
    file: at("net.onnx"),
    input: ["batch", 3, 64, 64],
    output: "logits",
  });
  expect(svanet("predict", checkpoint.path, at("image.png"), "--out", at("masks"))).toMatchObject({ status: 0 });
  const results = await runOnnx(readFileSync(at("net.onnx")), normalise(image, checkpoint.facts), [1, 64, 64, 3]);
  const theirs = argmax(results.get("logits") ?? new Float32Array(0), 3);
  expect(new Set(theirs).size).toBeGreaterThan(1);
  expect((await readMask(join(at("masks"), "image.png"))).data).toEqual(theirs);
});

test("a checkpoint and a PyTorch file become safetensors with the same names, shapes and numbers", async () => {
  expect(svanet("convert", checkpoint.path, "--out", at("plain.safetensors"))).toMatchObject({ status: 0 });
  const plain = await readSafetensors(at("plain.safetensors"));
  expect(plain.metadata).toEqual(new Map([["format", "pt"]]));
  expect([...plain.tensors.keys()]).toEqual([...checkpoint.tensors.keys()]);
  for (const [name, { shape, bytes }] of plain.tensors) {
    expect([name, ...shape]).toEqual([name, ...(checkpoint.tensors.get(name)?.shape ?? [])]);
    expect(Buffer.compare(bytes, checkpoint.tensors.get(name)?.bytes ?? bytes.subarray(1)), name).toBe(0);
  }
  writeFileSync(at("net.pth"), zipFile({ state_dict: { "module.a": floats(Float32Array.of(1, 2), [2, 1]) } }));
  const said = svanet("convert", at("net.pth"), "--out", at("net2.safetensors"));
  expect(said.stderr).toContain('the tensors are those under "state_dict"');
  const { tensors } = await readSafetensors(at("net2.safetensors"));
  expect([...tensors].map(([name, tensor]) => [name, tensor.shape, [...float32(tensor)]])).toEqual([
    ["a", [2, 1], [1, 2]],
  ]);
});

test("what cannot be converted says why", () => {
  const wrong = svanet("convert", checkpoint.path, "--out", at("net.tflite"));
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(wrong.stderr).toContain("the format is chosen by the ending, .safetensors or .onnx");
  expect(svanet("convert", at("net.pth"), "--out", at("x.onnx")).stderr).toContain("does not say of which network");
  expect(svanet("convert", at("nothing.pth"), "--out", at("x.safetensors"))).toMatchObject({ status: 2 });
});
