import { describe, expect, test } from "vitest";
import { fitWeights, slotsOf } from "../../../src/experiment/checkpoint/fit-weights.ts";
import { type CheckpointFacts, parseFacts } from "../../../src/inference/checkpoint/facts.ts";
import { channelsOf } from "../../../src/model/definition.ts";
import { fitted, fromZoo, traceNetwork, ZOO } from "../../../src/model/zoo.ts";
import { adaptedToChannels } from "../../../src/weights/rgb-stem.ts";
import { float32, type StoredTensor, storeFloat32 } from "../../../src/weights/safetensors.ts";
import { untrained } from "../../support/checkpoint.ts";

const SIZING = { classes: 2, height: 64, width: 64, base: 8 };
const shapesOf = (name: string, inChannels?: number) => {
  const { build } = traceNetwork(fitted(fromZoo(name).config, { ...SIZING, inChannels }), { mode: "eval", batch: 2 });
  return build.parameters.list();
};

test("every network takes 1 to 8 channels, and only what sees the image changes", () => {
  for (const { name } of ZOO) {
    const rgb = shapesOf(name);
    const five = shapesOf(name, 5);
    const changed = five.filter(({ shape }, at) => shape.join() !== rgb[at]?.shape.join());
    expect(changed.length, name).toBeGreaterThan(0);
    for (const { shape, name: own } of changed) expect(shape[1], `${name}: ${own}`).toBe(5);
    expect(five.map((one) => one.name)).toEqual(rgb.map((one) => one.name));
  }
  expect(() => fitted(fromZoo("unet").config, { ...SIZING, inChannels: 9 })).toThrow(
    /9 channels; networks take 1 to 8/,
  );
  expect(() => fitted(fromZoo("svanet").config, { ...SIZING, inChannels: 0 })).toThrow(/0 channels/);
});

test("a network of three channels does not say so: its configuration is as it was", () => {
  expect(fitted(fromZoo("unet").config, { ...SIZING, inChannels: 3 })).not.toHaveProperty("inChannels");
});

describe("weights of RGB on other channels", () => {
  const stem = storeFloat32(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3, 1, 1]);

  // timm 1.0: adapt_input_conv(4, w) is w.repeat(1, 2, 1, 1)[:, :4] * 3 / 4; of one channel w.sum(dim=1).
  test.each([
    [1, [6, 15]],
    [2, [1.5, 3, 6, 7.5]],
    [4, [0.75, 1.5, 2.25, 0.75, 3, 3.75, 4.5, 3]],
  ])("%i channels as timm has them", (channels, expected) => {
    const adapted = adaptedToChannels(stem, channels);
    expect(adapted.shape).toEqual([2, channels, 1, 1]);
    expect([...float32(adapted)]).toEqual(expected);
  });

  test("a file of an RGB network fills one of four channels, said in one line", () => {
    const rgb = fitted(fromZoo("unet").config, SIZING);
    const four = fitted(fromZoo("unet").config, { ...SIZING, inChannels: 4 });
    const file = new Map<string, StoredTensor>(
      slotsOf(rgb).map(({ name, shape }) => [
        name,
        storeFloat32(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape),
      ]),
    );
    const { tensors, notes } = fitWeights(
      slotsOf(four),
      { tensors: file, notes: [] },
      { label: "w.pth", partial: false },
    );
    expect(tensors.size).toBe(slotsOf(four).length);
    const said = notes.filter((line) => line.includes("saw RGB"));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /sees 4 channels now: its weights for red, green and blue in turn, times 3\/4 \(timm's rule\)/,
    );
    const wrong = new Map(
      [...file].map(
        ([name, tensor]) =>
          [name, tensor.shape[1] === 3 ? storeFloat32(new Float32Array(2), [1, 2, 1, 1]) : tensor] as const,
      ),
    );
    expect(() => fitWeights(slotsOf(four), { tensors: wrong, notes: [] }, { label: "w.pth", partial: false })).toThrow(
      /does not fit the network, in 1 tensors/,
    );
  });
});

describe("a checkpoint says what its channels are", () => {
  const config = fitted(fromZoo("unet").config, { ...SIZING, inChannels: 2 });
  const facts: CheckpointFacts = {
    ...untrained("unet", config),
    ...{ mean: [0.5, 0.4], std: [0.2, 0.1] },
    channels: { names: ["ADC", "T2"], windows: [{ low: 0, high: 9 }, "percentiles"] },
  };

  test("and is read as it was written", () => {
    expect(parseFacts("a", JSON.stringify(facts))).toEqual(facts);
    expect(channelsOf(parseFacts("a", JSON.stringify(facts)).config)).toBe(2);
  });

  test.each([
    [{ mean: [0.5, 0.4, 0.3] }, /numbers of means, deviations and channel names/],
    [{ channels: { names: ["ADC"] } }, /numbers of means, deviations and channel names/],
    [{ config: { ...config, inChannels: 9 } }, /inChannels/],
  ])("%j is refused", (change, message) => {
    expect(() => parseFacts("a", JSON.stringify({ ...facts, ...change }))).toThrow(message);
  });

  test("one from before has three", () => {
    const old = untrained("unet", fitted(fromZoo("unet").config, SIZING));
    expect(channelsOf(parseFacts("a", JSON.stringify(old)).config)).toBe(3);
  });
});
