import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPretrained } from "../../../src/experiment/checkpoint/pretrained.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { random } from "../../../src/kernels/random.ts";
import { sizeOf, toChannelsLast } from "../../../src/kernels/trace/shape.ts";
import { configFromOracle, SVANET_PRESETS, scaled } from "../../../src/model/svanet/config.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { float32, type StoredTensor, storeFloat32 } from "../../../src/weights/safetensors.ts";
import { readSafetensors, writeSafetensors } from "../../../src/weights/safetensors-file.ts";
import { largestDifference } from "../../support/onnx.ts";
import { floats, legacyFile, zipFile } from "../../support/pth-writer.ts";

const CONFIG = { ...scaled(SVANET_PRESETS.svanet, 8), encoder: "resnet18" as const, classes: 3, height: 64, width: 64 };
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Our encoder's names as torchvision writes them. */
function torchvisionNames(network: Network): Map<string, string> {
  const unit = { first: "1", second: "2" } as Record<string, string>;
  const names = network.table.list().flatMap(({ name }): [string, string][] => {
    const stem = /^encoder\.stem\.(conv|norm)\.(.+)$/.exec(name);
    if (stem) return [[name, `${stem[1] === "conv" ? "conv1" : "bn1"}.${stem[2]}`]];
    const block = /^encoder\.stages\.(\d)\.(\d)\.(first|second|skip)\.(conv|norm)\.(.+)$/.exec(name);
    if (!block) return [];
    const [, stage, index, part = "", kind, leaf] = block;
    const head = `layer${Number(stage) + 1}.${index}`;
    const conv = kind === "conv";
    if (part === "skip") return [[name, `${head}.downsample.${conv ? 0 : 1}.${leaf}`]];
    return [[name, `${head}.${conv ? "conv" : "bn"}${unit[part]}.${leaf}`]];
  });
  return new Map(names);
}

async function write(tensors: Map<string, StoredTensor>): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), "svanet-weights-")), "resnet18.safetensors");
  await writeSafetensors(path, tensors);
  return path;
}

function numbers(network: Network): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [ours, theirs] of torchvisionNames(network)) {
    const { shape } = network.table.get(ours);
    const walk = random(5, theirs);
    tensors.set(
      theirs,
      storeFloat32(
        Float32Array.from({ length: sizeOf(shape) }, () => walk.uniform()),
        shape,
      ),
    );
  }
  tensors.set("fc.weight", storeFloat32(new Float32Array(10), [1, 10]));
  return tensors;
}

/** The weights of the encoder, or all others. */
async function weightsOf(network: Network, encoder: boolean): Promise<Map<string, Float32Array>> {
  return new Map([...(await network.read())].filter(([name]) => name.startsWith("encoder.") === encoder));
}

test("a torchvision file fills every tensor of the encoder and nothing else", async () => {
  const network = await Network.create(device, CONFIG, 1);
  const before = await weightsOf(network, false);
  const tensors = numbers(network);
  const { loaded } = await loadPretrained(network, await write(tensors));
  const names = torchvisionNames(network);
  expect(loaded).toBe(names.size);
  const weights = await weightsOf(network, true);
  const statistics = await network.readStatistics();
  for (const [ours, theirs] of names) {
    const got = weights.get(ours) ?? statistics.get(ours);
    const bytes = Buffer.from(got?.buffer ?? new ArrayBuffer(0), got?.byteOffset, got?.byteLength);
    expect(Buffer.compare(bytes, tensors.get(theirs)?.bytes ?? bytes), ours).toBe(0);
  }
  const after = await weightsOf(network, false);
  expect(after).toEqual(before);
  network.destroy();
});

test("a PyTorch file gives the same as the safetensors file of its tensors", async () => {
  const network = await Network.create(device, CONFIG, 1);
  const tensors = numbers(network);
  const state = [...tensors].map(
    ([name, tensor]) => [`module.${name}`, floats(float32(tensor), tensor.shape)] as const,
  );
  const path = join(mkdtempSync(join(tmpdir(), "svanet-weights-")), "resnet18.pth");
  writeFileSync(path, zipFile({ epoch: 90, state_dict: Object.fromEntries(state) }));
  const { loaded, notes } = await loadPretrained(network, path);
  expect(loaded).toBe(torchvisionNames(network).size);
  expect(notes[0]).toBe("names as in torchvision's ResNet");
  expect(notes.slice(1)).toEqual([
    'the tensors are those under "state_dict"',
    'every name began with "module.", which is left out',
    "left out fc.weight: the ImageNet classifier",
  ]);
  const got = (await network.read()).get("encoder.stages.1.0.skip.conv.weight");
  expect(got).toEqual(float32(tensors.get("layer2.0.downsample.0.weight") ?? storeFloat32(new Float32Array(0), [0])));
  network.destroy();
});

test("every tensor that has no place, does not fit or is missing is named at once; --partial allows it", async () => {
  const network = await Network.create(device, CONFIG, 1);
  const tensors = numbers(network);
  tensors.delete("layer1.0.conv1.weight");
  tensors.set("conv1.weight", storeFloat32(new Float32Array(4), [1, 4, 1, 1]));
  tensors.set("layer1.0.conv9.weight", storeFloat32(new Float32Array(1), [1]));
  const path = await write(tensors);
  const failure = loadPretrained(network, path);
  await expect(failure).rejects.toThrow("in 3 tensors (names as in torchvision's ResNet)");
  await expect(failure).rejects.toThrow(/encoder\.stages\.0\.0\.first\.conv\.weight is missing/);
  await expect(failure).rejects.toThrow(/conv1\.weight is \[1,4,1,1\], encoder\.stem\.conv\.weight is \[8,3,7,7\]/);
  await expect(failure).rejects.toThrow(/layer1\.0\.conv9\.weight has no place/);
  const { loaded, notes } = await loadPretrained(network, path, { partial: true });
  expect(loaded).toBe(torchvisionNames(network).size - 2);
  expect(notes.at(-1)).toContain("--partial left out 3 tensors:\n  conv1.weight is [1,4,1,1]");
  const foreign = await write(new Map([["a", storeFloat32(new Float32Array(1), [1])]]));
  await expect(loadPretrained(network, foreign, { partial: true })).rejects.toThrow("nothing in it fits");
  network.destroy();
});

test("torchvision-named weights give PyTorch's own feature maps", async () => {
  const golden = await readSafetensors(
    fileURLToPath(new URL("../../fixtures/model/mini-release.safetensors", import.meta.url)),
  );
  const config = configFromOracle(JSON.parse(golden.metadata.get("config") ?? ""));
  const network = await Network.create(device, config, 7);
  const units = { first: "1", second: "2", third: "3" } as Record<string, string>;
  const state = [...golden.tensors].flatMap(([name, tensor]) => {
    const found = /^(?:param|stat)\.encoder\.(.+)$/.exec(name)?.[1];
    if (found === undefined) return [];
    const theirs = found
      .replace(/^stem\.conv/, "conv1")
      .replace(/^stem\.norm/, "bn1")
      .replace(/^stages\.(\d)/, (_, stage) => `layer${Number(stage) + 1}`)
      .replace("skip.conv", "downsample.0")
      .replace("skip.norm", "downsample.1")
      .replace(
        /(first|second|third)\.(conv|norm)/,
        (_, unit, kind) => `${kind === "conv" ? "conv" : "bn"}${units[unit]}`,
      );
    return [[theirs, floats(float32(tensor), tensor.shape)] as const];
  });
  const path = join(mkdtempSync(join(tmpdir(), "svanet-weights-")), "resnet.pth");
  writeFileSync(path, legacyFile(Object.fromEntries(state)));
  await loadPretrained(network, path);
  const image = golden.tensors.get("image");
  const names = [0, 1, 2, 3, 4].map((i) => `encoder.${i}`);
  const inference = await network.inference({ batch: image?.shape[0] ?? 0, intermediates: names });
  const { program } = inference;
  const pixels = float32(image ?? storeFloat32(new Float32Array(0), [0]));
  inference.feed(program, toChannelsLast(pixels, image?.shape ?? []));
  program.run();
  const maps = names.flatMap((name) => inference.intermediates.get(name) ?? []);
  for (const [i, map] of maps.entries()) {
    const wanted = golden.tensors.get(`eval.encoder.${i}`) ?? storeFloat32(new Float32Array(0), [0]);
    const largest = Math.max(...float32(wanted).map(Math.abs));
    const got = await program.read(map);
    expect(largestDifference(got, toChannelsLast(float32(wanted), wanted.shape)) / largest).toBeLessThan(1e-5);
  }
  program.destroy();
  network.destroy();
});
