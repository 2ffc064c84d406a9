import { describe, expect, test } from "vitest";
import { ABLATIONS } from "../../../src/model/svanet/ablations.ts";
import { SVANET_PRESETS, type SvanetConfig, scaled } from "../../../src/model/svanet/config.ts";
import { trainedKeys } from "../../support/training-trace.ts";

/** Keys of the trained tensors of a small network that a training step would leave without a gradient. */
function withoutGradient(config: SvanetConfig): readonly string[] {
  return trainedKeys({ ...scaled(config, 8), encoder: "mini", height: 64, width: 64 }, 2).without;
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
