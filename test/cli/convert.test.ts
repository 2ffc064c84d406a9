import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { readMask, writePng } from "../../src/data/decode.ts";
import type { ByteImage } from "../../src/data/image/image.ts";
import { normalise } from "../../src/data/image/normalise.ts";
import { loadCheckpoint } from "../../src/experiment/checkpoint/checkpoint.ts";
import type { Checkpoint } from "../../src/inference/checkpoint/checkpoint.ts";
import { sizeOf } from "../../src/kernels/trace/shape.ts";
import { initialValues } from "../../src/model/parameters.ts";
import { fitted, fromZoo, traceNetwork } from "../../src/model/zoo.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { float32, storeInt32 } from "../../src/weights/safetensors.ts";
import { readSafetensors, writeSafetensors } from "../../src/weights/safetensors-file.ts";
import { saveTiny } from "../support/checkpoint.ts";
import { noise, runOnnx } from "../support/onnx.ts";
import { floats, zipFile } from "../support/pth-writer.ts";
import { svanet, svanetJson } from "../support/svanet.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-convert-"));
const at = (name: string): string => join(folder, name);
let checkpoint: Checkpoint;
beforeAll(async () => {
  const device = await openDevice();
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

/** A public UNet++ of one foreground class: numbers around those of a fresh network, norms that differ. */
function publicFile(path: string): void {
  const config = fitted(fromZoo("unetpp-single").config, { classes: 1, height: 64, width: 64, base: 4 });
  const { build } = traceNetwork(config, { mode: "eval", batch: 1 });
  const state = build.parameters.list().map((slot): [string, ReturnType<typeof floats>] => {
    const spread = noise(sizeOf(slot.shape), slot.name);
    const theirs = slot.name
      .replace(/^node\.(\d_\d)\.(\d)\.(conv|norm)\./, (_, node, i, kind) => {
        return `conv${node}.${kind === "conv" ? "conv" : "bn"}${Number(i) + 1}.`;
      })
      .replace(/^head\.4\./, "final.");
    // Norms and biases move; weights are as large as keeps the signal.
    const values = initialValues(slot, 1).map((v, i) =>
      slot.shape.length > 1 ? 2 * v : v + 0.1 * Math.abs(spread[i] ?? 0),
    );
    // So that either class wins somewhere.
    return [theirs, floats(theirs === "final.bias" ? values.map((v) => v + 0.18) : values, slot.shape)];
  });
  writeFileSync(path, zipFile({ state_dict: Object.fromEntries(state) }));
}

test("a public file of one foreground class becomes a checkpoint that predicts, and the same ONNX at once", async () => {
  publicFile(at("public.pth"));
  const described = ["--model", "unetpp-single", "--width", "4", "--size", "64", "--classes", "background,cell"];
  const said = svanet("convert", at("public.pth"), ...described, "--out", at("public.safetensors"));
  expect(said).toMatchObject({ status: 0 });
  expect(said.stderr).toContain("names as in the public UNet++");
  expect(said.stderr).toContain("normalised with ImageNet's mean 0.485,0.456,0.406 and deviation 0.229,0.224,0.225");
  const { facts } = await loadCheckpoint(at("public.safetensors"));
  expect(facts).toMatchObject({
    preset: "unetpp-single",
    classes: ["background", "cell"],
    mean: [0.485, 0.456, 0.406],
  });
  const own = ["--mean", "0.5,0.4,0.3", "--std", "0.2,0.25,0.3"];
  const direct = svanetJson("convert", at("public.pth"), ...described, ...own, "--out", at("direct.onnx"));
  expect(direct).toMatchObject({ preset: "unetpp-single", input: ["batch", 3, 64, 64] });
  const data = Uint8Array.from(noise(64 * 64 * 3, "cells"), (v, i) => (i % 96 < 48 ? 30 : 200) + 10 * v);
  const image: ByteImage = { width: 64, height: 64, channels: 3, data };
  await writePng(at("cells.png"), image);
  svanetJson("predict", at("public.safetensors"), at("cells.png"), "--out", at("cells"));
  const results = await runOnnx(readFileSync(at("direct.onnx")), normalise(image, facts), [1, 64, 64, 3]);
  const logits = results.get("logits") ?? new Float32Array(0);
  expect(logits.filter((_, i) => i % 2 === 0)).toEqual(new Float32Array(64 * 64));
  const theirs = argmax(logits, 2);
  expect(new Set(theirs).size).toBe(2);
  expect((await readMask(join(at("cells"), "cells.png"))).data).toEqual(theirs);
});

test("what cannot be converted says why", () => {
  const wrong = svanet("convert", checkpoint.path, "--out", at("net.tflite"));
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(wrong.stderr).toContain("the format is chosen by the ending, .safetensors or .onnx");
  expect(svanet("convert", at("net.pth"), "--out", at("x.onnx")).stderr).toContain("does not say of which network");
  expect(svanet("convert", at("nothing.pth"), "--out", at("x.safetensors"))).toMatchObject({ status: 2 });
});

test("a checkpoint of an older svanet is refused with the command that writes it anew, in its place and with all it holds", async () => {
  const { facts, tensors } = checkpoint;
  const all = new Map([...tensors, ["optimizer.step.control", storeInt32(Int32Array.of(0, 3, 0, 0), [4])]]);
  const sum = [...all.values()].reduce((crc, { bytes }) => crc32(bytes, crc), 0);
  const metadata = new Map([
    ["format", "svanet checkpoint 1"],
    ["facts", JSON.stringify(facts)],
    ["crc32", sum.toString(16).padStart(8, "0")],
  ]);
  const old = at("old.safetensors");
  await writeSafetensors(old, all, metadata);
  const refused = svanet("predict", old, at("image.png"), "--out", at("never"));
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toContain(`write it anew with svanet convert ${old} --out ${old}`);
  const said = svanet("convert", old, "--out", old);
  expect(said).toMatchObject({ status: 0 });
  expect(said.stderr).toContain(`${old}: a checkpoint of an older svanet, written anew with all that it holds`);
  const anew = await loadCheckpoint(old);
  expect(anew.facts).toEqual(facts);
  expect([...anew.tensors]).toEqual([...all]);
});
