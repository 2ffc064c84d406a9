import { describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { trainingLoss } from "../../../src/model/losses.ts";
import { DEFAULT_LOSS } from "../../../src/model/supervision.ts";
import { ABLATIONS } from "../../../src/model/svanet/ablations.ts";
import { SVANET_PRESETS, type SvanetConfig, scaled } from "../../../src/model/svanet/config.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";

/** Names of the trained tensors of a small network that a training step would leave without a gradient. */
function withoutGradient(config: SvanetConfig): string[] {
  const small = { ...scaled(config, 8), encoder: "mini", height: 64, width: 64 } as const;
  const { build, logits } = traceNetwork(small, { mode: "train", batch: 2 });
  const { graph } = build;
  const label = graph.input("label", logits.shape.slice(0, 3), "i32");
  const loss = trainingLoss(graph, logits, label, graph.input("class weights", [config.classes]), DEFAULT_LOSS);
  const keys = build.parameters.storage("weight").map(({ key }) => key);
  const wanted = keys.flatMap((key) => graph.resident.get(key) ?? []);
  const grads = differentiate(graph, loss, graph.input("seed", [1]), wanted);
  return keys.filter((key) => {
    const value = graph.resident.get(key);
    return !value || grads.get(value.id)?.shape.join() !== value.shape.join();
  });
}

describe.each(Object.entries(SVANET_PRESETS))("%s in training", (_, preset) => {
  test.each(Object.entries(ABLATIONS))("%s gives every parameter a gradient", (name, { changes }) => {
    expect({ name, without: withoutGradient({ ...preset, ...changes }) }).toEqual({ name, without: [] });
  });

  test.each([{ linkTap: "before" }, { mcShuffle: false }, { asppDropout: 0, guideDrop: 0 }] as const)(
    "does so with %j",
    (changes) => {
      expect(withoutGradient({ ...preset, ...changes })).toEqual([]);
    },
  );
});
