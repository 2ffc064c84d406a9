import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPretrained } from "../../../src/experiment/checkpoint/pretrained.ts";
import { Program } from "../../../src/kernels/compile/program.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import type { Value } from "../../../src/kernels/trace/op.ts";
import { fromChannelsLast, toChannelsLast } from "../../../src/kernels/trace/shape.ts";
import { Build } from "../../../src/model/build.ts";
import { resnet } from "../../../src/model/encoders/resnet.ts";
import { type EncoderName, SVANET_PRESETS } from "../../../src/model/svanet/config.ts";
import { encoder } from "../../../src/model/svanet/encoder.ts";
import { fromZoo, type NetworkConfig } from "../../../src/model/zoo.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { Network } from "../../../src/training/network.ts";
import { float32 } from "../../../src/weights/safetensors.ts";
import { torchvisionMaps } from "../../support/drawn-resnet.ts";
import { largestDifference } from "../../support/onnx.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
let device: Device;
let golden: Awaited<ReturnType<typeof torchvisionMaps>>;

beforeAll(async () => {
  device = await openDevice();
  golden = await torchvisionMaps();
});
afterAll(() => {
  device.close();
  scratch.remove();
});

/** A network with little behind its full encoder, and what runs the encoder alone. */
interface Case {
  readonly config: NetworkConfig;
  readonly features: (build: Build, image: Value) => Value[];
}

const SIZE = { height: 64, width: 32, classes: 2 };

function svanet(name: EncoderName): Case {
  // torchvision's norms add 1e-5; the authors of SvANet run its weights with 1e-3.
  const bare = { neck: false, guidance: false, link: "none", asppChannels: 8, normEps: 1e-5 } as const;
  const config = { ...SVANET_PRESETS.svanet, ...bare, ...SIZE, encoder: name };
  return { config, features: (build, image) => encoder(build, config, image) };
}

function comparison(): Case {
  const config = { ...fromZoo("transnetr-full").config, ...SIZE };
  return {
    config,
    features: (build, image) => {
      const [stem = image, , ...stages] = resnet(build, image, 64, [3, 4, 6, 3]);
      return [stem, ...stages];
    },
  };
}

async function mapsOf({ features }: Case, network: Network): Promise<Map<string, Float32Array>> {
  const image = golden.tensor("image");
  const [n = 1, c = 3, h = 1, w = 1] = image.shape;
  const graph = new Graph();
  const build = new Build({ graph, mode: "eval", parameters: network.table });
  const values = features(build, graph.input("image", [n, h, w, c]));
  const program = await Program.compile(device, graph, { store: network.store, keep: values });
  try {
    program.write("image", toChannelsLast(float32(image), image.shape));
    program.run();
    const maps = new Map<string, Float32Array>();
    for (const [i, value] of values.entries()) {
      const [n = 1, h = 1, w = 1, c = 1] = value.shape;
      maps.set(i === 0 ? "stem" : `layer${i}`, fromChannelsLast(await program.read(value), [n, c, h, w]));
    }
    return maps;
  } finally {
    program.destroy();
  }
}

/** Encoders by torchvision's model, with the number of its state dict's tensors that have a place in one. */
const CASES = [
  ["resnet18", ["layer2", "layer4"], 100, [svanet("resnet18")]],
  ["resnet34", ["layer2", "layer4"], 180, [svanet("resnet34")]],
  ["resnet50", ["stem", "layer1", "layer2", "layer3", "layer4"], 265, [svanet("resnet50"), comparison()]],
] as const;

test.each(CASES)("torchvision's %s file gives torchvision's own %j", async (model, layers, tensors, encoders) => {
  const path = join(scratch.path, `${model}.pth`);
  writeFileSync(path, golden.stateDict(model));
  for (const each of encoders) {
    const network = await Network.empty(device, each.config);
    try {
      const { loaded } = await loadPretrained(network, path);
      expect(loaded).toBe(tensors);
      const maps = await mapsOf(each, network);
      for (const layer of layers) {
        const wanted = float32(golden.tensor(`${model}.${layer}`));
        const largest = wanted.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        const got = maps.get(layer) ?? new Float32Array(0);
        expect(largestDifference(got, wanted) / largest, layer).toBeLessThan(1e-5);
      }
    } finally {
      network.destroy();
    }
  }
});
