import { describe, expect, test } from "vitest";
import { targetMap, targetsOf } from "../../../src/model/losses.ts";
import { DEFAULT_LOSS, LOSSES } from "../../../src/model/supervision.ts";
import { checked, fitted, fromZoo, type NetworkConfig, traceNetwork } from "../../../src/model/zoo.ts";
import { isSvanet, NETWORKS, tinyNetwork, UNREACHED } from "../../support/nets.ts";
import { trainedKeys } from "../../support/training-trace.ts";

const LOSS_OPS = [
  "crossEntropy",
  "binaryCrossEntropy",
  "structureLoss",
  "bceDiceLoss",
  "boundaryEmphasis",
  "hardLabels",
];

/** A training step: the keys of trained tensors, of those without a gradient, and the loss's ops. */
function training(config: NetworkConfig, batch: number, kind = DEFAULT_LOSS.kind) {
  const { keys, without, trace } = trainedKeys(config, batch, kind);
  const losses = trace.graph.steps.map(({ op }) => op.name).filter((op) => LOSS_OPS.includes(op));
  return { keys, without, heads: trace.heads, losses };
}

/** Networks that pool to single values, whose norms need another image to compare with. */
const POOLING = /^(svanet|cfanet|pspnet|deeplabv3)/;

describe.each(NETWORKS)("%s", (name) => {
  test.each([
    { classes: 2, batch: 3 },
    { classes: 9, batch: 2 },
    { classes: 1, batch: 2 },
  ])("gives every parameter a gradient, $classes classes, batch $batch", ({ classes, batch }) => {
    const { keys, without, heads } = training(tinyNetwork(name, { classes }), batch);
    const unreached = UNREACHED[name];
    expect(without).toEqual(unreached ? keys.filter((key) => unreached.test(key)) : []);
    for (const { kind, logits } of heads) expect(logits.shape[3]).toBe(kind === "classes" ? classes : 1);
  });

  test("gives every parameter a gradient from one image, or says why it cannot", () => {
    const alone = () => training(tinyNetwork(name), 1);
    if (POOLING.test(name))
      return expect(alone).toThrow("one value a channel, which has no statistics; use two images or more");
    const { keys, without } = alone();
    expect(without).toEqual(keys.filter((key) => UNREACHED[name]?.test(key)));
  });

  test.each(LOSSES)("trains by %s through every output, whose names are those of layers", (loss) => {
    for (const classes of loss === DEFAULT_LOSS.kind ? [] : [1, 2, 9]) {
      const { without, keys } = training(tinyNetwork(name, { classes }), 2, loss);
      expect(without).toEqual(keys.filter((key) => UNREACHED[name]?.test(key)));
    }
    const { heads, keys } = training(tinyNetwork(name), 2);
    expect(new Set(heads.map((head) => head.name)).size).toBe(heads.length);
    for (const head of heads) expect(keys.some((key) => key.startsWith(`param:${head.name}.`))).toBe(true);
  });

  test("evaluates any size at that size, and names the same parameters as in training", () => {
    const config = tinyNetwork(name, { classes: 3 });
    for (const [batch, height, width] of [
      [1, 64, 96],
      [3, 96, 64],
      isSvanet(name) ? [2, 32, 64] : [1, 67, 45],
    ] as const) {
      const { logits, build } = traceNetwork(config, { mode: "eval", batch, height, width });
      expect(logits.shape).toEqual([batch, height, width, 3]);
      const names = build.parameters.list().map((entry) => entry.name);
      const trained = traceNetwork(config, { mode: "train", batch: 2, parameters: build.parameters }).build;
      expect(trained.parameters.list().map((entry) => entry.name)).toEqual(names);
    }
  });

  test("trains at a size that is no multiple of anything, or says what it needs", () => {
    if (isSvanet(name))
      return expect(() => tinyNetwork(name, { height: 75 })).toThrow("multiple of 32, such as 64 or 96");
    const { heads } = training(tinyNetwork(name, { height: 75, width: 61 }), 2);
    expect(heads[0]?.logits.shape).toEqual([2, 75, 61, 2]);
  });

  test("is small where it is narrow", () => {
    const small = traceNetwork(tinyNetwork(name), { mode: "eval", batch: 1 }).build.parameters;
    const whole = traceNetwork(fromZoo(name).config, { mode: "eval", batch: 1, height: 64, width: 64 }).build
      .parameters;
    expect(small.count()).toBeLessThan(whole.count() / 20);
  });
});

describe("a configuration of a comparison network", () => {
  const refused = (name: string, changes: object) => () =>
    checked({ ...fromZoo(name).config, ...changes } as NetworkConfig);

  test("is refused with a sentence", () => {
    expect(refused("unet", { base: 0 })).toThrow("base is 0; it must be a whole number of at least 1");
    expect(refused("pranet", { base: 7 })).toThrow("base is 7; the encoder needs an even width of at least 4");
    expect(refused("cfanet", { encoder: "vgg" })).toThrow('encoder is "vgg"; it must be res2net or resnet');
    expect(refused("transnetr", { tokens: [10, 64] })).toThrow("tokens is 10, 64; 4 heads must divide both");
    expect(refused("nnunet", { features: [8] })).toThrow("an nnU-Net has at least two stages");
    expect(refused("caranet", { field: 24 })).toThrow("field is 24; the pyramid needs a multiple of 16");
    expect(refused("hrnet", { kind: "hrnett" })).toThrow("there is no kind of network hrnett. Did you mean hrnet?");
  });

  test("whose rows do not fit the map says so", () => {
    const config = fitted(fromZoo("transnetr").config, { classes: 2, height: 16, width: 16, base: 8 });
    expect(() => traceNetwork({ ...config, tokens: [8, 96] } as NetworkConfig, { mode: "eval", batch: 1 })).toThrow(
      "cannot be cut into rows of 96",
    );
  });
});

describe("dropout", () => {
  const shapes = (name: string, batch: number) => {
    const { inputs } = traceNetwork(tinyNetwork(name), { mode: "train", batch }).build.graph;
    return ["draw:aspp.drop", "draw:head.drop", "draw:aux.drop"].map((key) => inputs.get(key)?.shape);
  };

  test("takes whole channels in PSPNet, single values in torchvision's DeepLabV3", () => {
    const seed = [1];
    expect(shapes("deeplabv3", 3)).toEqual([seed, undefined, seed]);
    const [, head, aux] = shapes("pspnet", 3);
    expect([head, aux]).toEqual([
      [3, 1, 1, 64],
      [3, 1, 1, 32],
    ]);
  });
});

describe("the first weights", () => {
  const init = (name: string, parameter: string) =>
    traceNetwork(fromZoo(name).config, { mode: "eval", batch: 1 }).build.parameters.get(parameter).init;

  test("are those of each publication", () => {
    expect(init("unet", "enc.1.0.conv.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(64 * 9) });
    expect(init("nnunet", "enc.0.0.conv.bias")).toEqual({ kind: "constant", value: 0 });
    expect(init("nnunet", "enc.1.0.conv.weight")).toEqual({
      kind: "normal",
      deviation: Math.sqrt(2 / (1 + 0.01 ** 2) / (32 * 9)),
    });
    expect(init("hrnet", "stem.1.conv.weight")).toEqual({ kind: "normal", deviation: 0.001 });
    expect(init("pranet", "encoder.stem.1.conv.weight")).toEqual({
      kind: "normal",
      deviation: Math.sqrt(2 / (32 * 9)),
    });
    expect(init("transnetr", "dec.0.layer.0.attn.qkv.weight")).toEqual({ kind: "uniform", bound: Math.sqrt(6 / 256) });
    expect(init("transnetr", "dec.0.layer.0.attn.qkv.bias")).toEqual({ kind: "constant", value: 0 });
  });
});

test.each([
  // The class map and the foreground maps have masks of their own, each weighted once.
  ["pranet-resnet50", "structure", { structureLoss: 5, boundaryEmphasis: 2 }],
  ["pranet-resnet50", "ohem", { hardLabels: 1, crossEntropy: 1, binaryCrossEntropy: 4 }],
  ["cfanet", "structure", { structureLoss: 3, boundaryEmphasis: 1, binaryCrossEntropy: 1 }],
  ["nnunet", "bce-dice", { bceDiceLoss: 3 }],
] as const)("%s by %s is trained by %j", (name, kind, expected) => {
  const { losses } = training(tinyNetwork(name), 2, kind);
  const counts = [...new Set(losses)].map((op) => [op, losses.filter((other) => other === op).length]);
  expect(Object.fromEntries(counts)).toEqual(expected);
});

describe("targets from labels", () => {
  const labels = Int32Array.from([0, 0, 1, 0, 255, 1]);
  const size = { height: 2, width: 3, ignoreIndex: 255 };

  test("edges are where the pixel to the right or below differs", () => {
    expect([...targetMap("edges", labels, size)]).toEqual([0, 1, 0, 1, 1, 0]);
  });

  test("foreground is every class but the background; ignored pixels do not count", () => {
    expect([...targetMap("foreground", labels, size)]).toEqual([0, 0, 1, 0, -1, 1]);
  });

  test("are asked for by CFANet and the feature form of PraNet", () => {
    const asked = (name: string) => targetsOf(training(tinyNetwork(name), 2).heads);
    expect([asked("cfanet"), asked("pranet-resnet50"), asked("pranet")]).toEqual([["edges"], ["foreground"], []]);
  });
});
