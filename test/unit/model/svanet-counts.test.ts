import { describe, expect, test } from "vitest";
import { ABLATIONS } from "../../../src/model/svanet/ablations.ts";
import { SVANET_PRESETS, type SvanetConfig, type SvanetPreset } from "../../../src/model/svanet/config.ts";
import { describe as describeNetwork, traceNetwork } from "../../../src/model/zoo.ts";

/** The sizes are those of any image; a small one makes the same parameters in less time. */
function parametersOf(config: SvanetConfig) {
  return traceNetwork({ ...config, height: 64, width: 64 }, { mode: "eval", batch: 1 }).build.parameters;
}

const millions = (count: number) => (count / 1e6).toFixed(3);

/** Million parameters with 8 classes: svanet-text, svanet-release, svanet, decoder links of svanet. */
const SIZES: Readonly<Record<keyof typeof ABLATIONS, readonly string[]>> = {
  "t4-baseline": ["86.713", "86.713", "86.713", "31.460"],
  "t4-neck": ["91.206", "141.945", "141.945", "31.460"],
  "t4-neck-mc": ["91.381", "144.711", "144.711", "31.460"],
  "t4-guidance": ["101.381", "158.533", "158.533", "31.460"],
  "t4-svattn": ["106.587", "163.739", "163.739", "31.460"],
  "t4-full": ["147.371", "202.449", "177.636", "38.408"],
  "t5-none": ["147.195", "199.683", "174.870", "38.408"],
  "t5-se": ["147.371", "202.449", "177.636", "38.408"],
  "t5-cbam": ["147.239", "200.374", "175.561", "38.408"],
  "t5-coord": ["147.232", "200.210", "175.397", "38.408"],
  "t5-mc": ["147.371", "202.449", "177.636", "38.408"],
  "t6-12": ["147.371", "202.449", "177.636", "38.408"],
  "t6-123": ["147.371", "202.449", "177.636", "38.408"],
  "t6-23": ["147.371", "202.449", "177.636", "38.408"],
  "t6-1234": ["147.371", "202.449", "177.636", "38.408"],
  "t8-none-none": ["147.195", "199.683", "174.870", "38.408"],
  "t8-se-se": ["148.760", "203.838", "179.025", "39.103"],
  "t8-mc-mc": ["148.760", "203.838", "179.025", "39.103"],
  "t8-mc-none": ["147.371", "202.449", "177.636", "38.408"],
  "t9-neither": ["106.587", "163.739", "163.739", "31.460"],
  "t9-before": ["126.979", "183.094", "170.687", "31.460"],
  "t9-after": ["126.979", "183.094", "170.687", "38.408"],
  "t9-both": ["147.371", "202.449", "177.636", "38.408"],
  "t10-direct": ["95.519", "151.634", "139.227", "0.000"],
  "t10-add": ["121.136", "176.214", "151.401", "12.174"],
  "t10-concat": ["147.371", "202.449", "177.636", "38.408"],
  "sv-none": ["142.165", "197.242", "172.430", "38.408"],
  "sv-source": ["143.201", "198.279", "173.466", "38.408"],
  "sv-mean": ["147.371", "202.449", "177.636", "38.408"],
  "sv-max": ["147.371", "202.449", "177.636", "38.408"],
  "sv-scale": ["147.371", "202.449", "177.636", "38.408"],
};

describe("costs at 512x512 with 8 classes", () => {
  test.each([
    ["svanet", 177_635_576, "304.330"],
    ["svanet-text", 147_370_600, "237.038"],
    ["svanet-release", 202_448_504, "366.936"],
  ] as const)("%s has its published size and multiply-accumulates", (preset, parameters, giga) => {
    const counts = describeNetwork(preset);
    expect(counts.parameters).toBe(parameters);
    expect((counts.macs / 1e9).toFixed(3)).toBe(giga);
  });

  test("counts as the paper's profiler did", () => {
    expect((describeNetwork("svanet").profiledMacs / 1e9).toFixed(4)).toBe("312.7558");
  });

  test("reports products between activations apart", () => {
    expect((describeNetwork("svanet-text").attentionMacs / 1e9).toFixed(2)).toBe("353.26");
    expect((describeNetwork("svanet").attentionMacs / 1e9).toFixed(3)).toBe("0.046");
  });
});

describe("sizes of the ablations", () => {
  test.each(Object.entries(SIZES))("%s", (name, [text, release, standard, links]) => {
    const { changes } = ABLATIONS[name as keyof typeof ABLATIONS];
    const sized = (preset: SvanetPreset) => parametersOf({ ...SVANET_PRESETS[preset], ...changes });
    expect(millions(sized("svanet-text").count())).toBe(text);
    expect(millions(sized("svanet-release").count())).toBe(release);
    expect(millions(sized("svanet").count())).toBe(standard);
    expect(millions(sized("svanet").count("links."))).toBe(links);
  });

  test.each([
    ["resnet18", [30_034_200, 28_421_400, 26_438_408]],
    ["resnet34", [40_142_360, 38_529_560, 36_546_568]],
    ["resnet50", [202_448_504, 177_635_576, 147_370_600]],
  ] as const)("%s", (encoder, sizes) => {
    const presets = ["svanet-release", "svanet", "svanet-text"] as const;
    expect(presets.map((preset) => parametersOf({ ...SVANET_PRESETS[preset], encoder }).count())).toEqual(sizes);
  });
});
