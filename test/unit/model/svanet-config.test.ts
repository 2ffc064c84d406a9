import { describe, expect, test } from "vitest";
import { normAgainstLoneImages } from "../../../src/model/lone-image.ts";
import { checked, configFromOracle, SVANET_PRESETS, scaled } from "../../../src/model/svanet/config.ts";
import { checked as checkedNetwork, fromZoo, traceNetwork, ZOO } from "../../../src/model/zoo.ts";

const text = SVANET_PRESETS["svanet-text"];

describe("a configuration", () => {
  test.each([
    [{ ...text, height: 500 }, "height is 500; it must be a multiple of 32, such as 480 or 512"],
    [{ ...text, classes: 0 }, "classes is 0; it must be a whole number of at least 1"],
    [
      { ...scaled(text, 12) },
      "attention works on 6 channels, which 4 heads do not divide; use --width 16 or, where a command has it, --former-heads 3",
    ],
    [{ ...text, mcSizes: [] }, "mcSizes is ; give whole numbers of at least 1, such as 1, 2, 3"],
    [{ ...text, encoder: "resnet5" as "resnet50" }, 'encoder is "resnet5". Did you mean resnet50?'],
    [{ ...scaled(text, 3) }, "the encoder's outputs have 3, 12, 24, 48, 96 channels"],
    [{ ...text, asppDropout: 1 }, "asppDropout is 1; it must be at least 0 and below 1"],
  ])("is refused with a sentence (%#)", (config, message) => {
    expect(() => checked(config)).toThrow(message);
  });

  test("of golden files must be whole", () => {
    expect(() => configFromOracle({ classes: 3 })).toThrow("height is undefined; it should look like 512");
    expect(() => configFromOracle({ clases: 3 })).toThrow("there is no setting clases. Did you mean classes?");
  });

  test("of every preset is valid", () => {
    for (const { config } of ZOO) expect(checkedNetwork(config)).toBe(config);
  });
});

describe("the network", () => {
  const small = { ...scaled(text, 8), encoder: "mini", height: 64, width: 64 } as const;

  test("takes any image whose sides are multiples of 32 for evaluation", () => {
    const { logits } = traceNetwork(small, { mode: "eval", batch: 1, height: 96, width: 32 });
    expect(logits.shape).toEqual([1, 96, 32, 8]);
    expect(() => traceNetwork(small, { mode: "eval", batch: 1, height: 65 })).toThrow(
      "both sides must be multiples of 32",
    );
  });

  test("is trained at its own size and on two images or more", () => {
    expect(normAgainstLoneImages(small)).toBe("aspp.image.norm");
    expect(() => traceNetwork(small, { mode: "train", batch: 2, height: 512 })).toThrow("cannot be trained at 512x64");
  });

  test("is found by name", () => {
    expect(fromZoo("svanet").config).toBe(SVANET_PRESETS.svanet);
    expect(() => fromZoo("svanett")).toThrow("there is no network svanett. Did you mean svanet?");
  });
});
