import { describe, expect, test } from "vitest";
import {
  describe as describeNetwork,
  fitted,
  fromZoo,
  type NetworkConfig,
  traceNetwork,
} from "../../../src/model/zoo.ts";
import { isSvanet, NETWORKS } from "../../support/nets.ts";

const giga = (count: number) => (count / 1e9).toFixed(3);

function costs(config: NetworkConfig, name: string) {
  const { parameters, macs, attentionMacs, profiledMacs } = describeNetwork(name, config);
  return [parameters, giga(macs + attentionMacs), giga(profiledMacs)];
}

const sized = (name: string, side: number, classes = 8) =>
  fitted(fromZoo(name).config, { classes, height: side, width: side });

/** Parameters, multiply-accumulates and those of the paper's profiler, for a network of 8 classes at 512. */
const PUBLISHED: Readonly<Record<string, readonly [number, string, string]>> = {
  unet: [34_527_496, "261.506", "262.207"],
  unetpp: [9_164_352, "138.202", "139.874"],
  "unetpp-single": [9_163_560, "138.001", "139.672"],
  pranet: [30_508_896, "27.533", "27.844"],
  "pranet-resnet50": [30_337_519, "25.392", "25.651"],
  hrnet: [65_851_448, "93.309", "93.905"],
  "hrnet-single": [63_595_304, "83.683", "84.223"],
  nnunet: [46_337_272, "59.858", "67.620"],
  cfanet: [25_240_323, "115.832", "117.479"],
  "cfanet-resnet50": [25_079_003, "113.713", "115.308"],
  transnetr: [12_305_160, "42.162", "40.465"],
  "transnetr-full": [27_269_896, "46.390", "44.706"],
  pspnet: [48_947_792, "186.720", "187.259"],
  deeplabv3: [41_997_392, "173.238", "173.794"],
  // As our own trace counts it: the public code has other layers, so there is no figure to compare with.
  caranet: [24_150_974, "24.749", "25.011"],
};

describe("costs of the comparison networks", () => {
  test.each(NETWORKS.filter((name) => !isSvanet(name)))("%s", (name) => {
    expect(costs(sized(name, 512), name)).toEqual(PUBLISHED[name]);
  });

  test("are the paper's where it measured what we know", () => {
    const rounded = (name: string, side: number, classes?: number) => {
      const { parameters, profiledMacs } = describeNetwork(name, sized(name, side, classes));
      return [(parameters / 1e6).toFixed(2), (profiledMacs / 1e9).toFixed(2)];
    };
    expect(rounded("unet", 448)).toEqual(["34.53", "200.75"]);
    expect(rounded("unetpp", 448)).toEqual(["9.16", "107.09"]);
    expect(rounded("pranet-resnet50", 512)).toEqual(["30.34", "25.65"]);
    expect(rounded("transnetr-full", 512)).toEqual(["27.27", "44.71"]);
    expect(rounded("hrnet-single", 512)[0]).toBe("63.60");
  });

  test("of DeepLabV3 are torchvision's, at 520 with 21 classes", () => {
    expect(costs(sized("deeplabv3", 520, 21), "deeplabv3").slice(0, 2)).toEqual([42_004_074, "178.722"]);
  });

  test("of one class are those of the published binary networks", () => {
    const parameters = (name: string) => describeNetwork(name, sized(name, 512, 1)).parameters;
    expect(["pranet", "cfanet"].map(parameters)).toEqual([30_498_319, 25_238_958]);
    expect(giga(describeNetwork("cfanet-resnet50", sized("cfanet-resnet50", 512, 1)).profiledMacs)).toBe("114.955");
  });
});

describe("nnU-Net's plan", () => {
  const features = (height: number, width: number, base?: number) => {
    const config = fitted(fromZoo("nnunet").config, { classes: 2, height, width, base });
    return config.kind === "nnunet" ? config.features : [];
  };

  test("halves while an axis keeps four pixels, and doubles the channels up to 512", () => {
    expect(features(512, 512)).toEqual([32, 64, 128, 256, 512, 512, 512, 512]);
    expect(features(256, 512)).toEqual([32, 64, 128, 256, 512, 512, 512]);
    expect(features(64, 64, 4)).toEqual([4, 8, 16, 32, 64]);
    expect(features(4, 4)).toEqual([32, 64]);
  });

  test("cannot train on what its stages leave one pixel of", () => {
    const { config } = fromZoo("nnunet");
    expect(() => traceNetwork({ ...config, height: 128, width: 128 }, { mode: "train", batch: 1 })).toThrow(
      "8 stages leave one pixel of the image",
    );
  });
});
