import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writePng } from "../../../src/data/decode.ts";
import { loadNetwork } from "../../../src/experiment/checkpoint/load-run.ts";
import { featureMaps } from "../../../src/experiment/predict/features.ts";
import { random } from "../../../src/kernels/random.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { saveTiny } from "../../support/checkpoint.ts";
import { svanet } from "../../support/svanet.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
const device = await openDevice();
afterAll(() => {
  device.close();
  scratch.remove();
});

test("maps are those of the evaluation; the guidance is its ungated map times a gate a channel; the command writes both", async () => {
  const path = join(scratch.path, "tiny.safetensors");
  await saveTiny(device, path);
  const { network, checkpoint } = await loadNetwork(device, path);
  const walk = random(3, "picture");
  const picture = {
    ...{ width: 64, height: 64, channels: 3 },
    data: Uint8Array.from({ length: 64 * 64 * 3 }, () => walk.integer(256)),
  };
  const [guide, ungated] = await featureMaps(network, checkpoint, picture, ["guide.0-2", "guide.0-2.ungated"]);
  network.destroy();
  if (guide === undefined || ungated === undefined) throw new Error("two maps were asked for");
  const { channels, data } = guide;
  expect(data.some((value) => value > 0)).toBe(true);
  for (let c = 0; c < channels; c++) {
    const places = Array.from({ length: data.length / channels }, (_, i) => i * channels + c);
    const gates = places.flatMap((at) =>
      (ungated.data[at] ?? 0) > 1e-3 ? (data[at] ?? 0) / (ungated.data[at] ?? 1) : [],
    );
    for (const gate of gates) {
      expect(gate).toBeCloseTo(gates[0] ?? 0, 4);
      expect(gate > 0 && gate < 1).toBe(true);
    }
  }

  const image = join(scratch.path, "picture.png");
  await writePng(image, picture);
  const out = join(scratch.path, "maps");
  const { status, stdout, stderr } = svanet(
    ...["features", path, image, "--at", "guide.0-2", "neck.3.bottleneck", "--beside", path, "--out", out],
  );
  expect(status, stderr).toBe(0);
  expect(stdout.trim().split("\n")).toEqual(
    ["guide.0-2.png", "guide.0-2-0.npy", "guide.0-2-1.npy"]
      .concat(["neck.3.bottleneck.png", "neck.3.bottleneck-0.npy", "neck.3.bottleneck-1.npy"])
      .map((name) => join(out, name)),
  );
  const npy = readFileSync(join(out, "guide.0-2-1.npy"));
  expect(npy.toString("latin1", 10, 128)).toContain(`'shape': (${guide.height}, ${guide.width}, ${channels})`);
  const stored = new Float32Array(
    npy.buffer.slice(npy.byteOffset + npy.length - 4 * data.length, npy.byteOffset + npy.length),
  );
  expect([...stored]).toEqual([...data]);
});
