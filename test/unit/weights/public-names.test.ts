import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DEEPLABV3 } from "../../../src/model/nets/deeplabv3.ts";
import { fromZoo, type NetworkConfig, traceNetwork } from "../../../src/model/zoo.ts";
import { matchNames } from "../../../src/weights/match.ts";
import { NAME_MAPS } from "../../../src/weights/names/name-maps.ts";

/** By network, the lines of test/oracle/nets/public_names.py. */
const ORACLE = new Map(
  readFileSync(new URL("../../fixtures/weights/public-names.txt", import.meta.url), "utf8")
    .split("# ")
    .map((section) => section.trimEnd().split("\n"))
    .map(([network = "", ...lines]) => [network, lines.map((line) => line.split(" "))] as const),
);

/** Public names by ours. */
function publicNames(network: string): Map<string, string> {
  const lines = ORACLE.get(network) ?? [];
  return new Map(
    lines.flatMap(([ours = "", theirs = "", ...leaves]) =>
      leaves.length === 0
        ? [[ours, theirs] as const]
        : leaves.map((leaf) => [`${ours}.${leaf}`, `${theirs}.${leaf}`] as const),
    ),
  );
}

/** The oracle's tiny networks. */
const TINY: Readonly<Record<string, { readonly label: string; readonly changes: object }>> = {
  unet: { label: "the public U-Net", changes: { base: 4, depth: 4 } },
  unetpp: { label: "the public UNet++", changes: { base: 4, depth: 4 } },
  pranet: { label: "the public PraNet", changes: { base: 8, blocks: [2, 1, 2, 1], field: 4, deep: 8, fine: 8 } },
  hrnet: { label: "HRNetV2-W48", changes: { base: 4, stem: 8, planes: 4, stage1: 2, modules: [1, 2, 2], blocks: 1 } },
  nnunet: { label: "nnU-Net v2", changes: { features: [4, 8, 12, 12] } },
  cfanet: { label: "the public CFANet", changes: { base: 8, blocks: [2, 1, 2, 1], channels: 16 } },
  transnetr: {
    label: "the public TransNetR",
    changes: { base: 8, blocks: [2, 1, 1, 1], channels: 8, tokens: [16, 64], hidden: 24, unread: true },
  },
};

function slotsOf(config: NetworkConfig) {
  return traceNetwork(config, { mode: "eval", batch: 2 }).build.parameters.list();
}

const tiny = (network: string, changes: object = {}) =>
  slotsOf({
    ...fromZoo(network).config,
    ...TINY[network]?.changes,
    classes: 3,
    height: 64,
    width: 64,
    ...changes,
  } as NetworkConfig);

function publicFile(network: string) {
  const shapes = new Map(tiny(network).map(({ name, shape }) => [name, shape]));
  return new Map(
    [...publicNames(network)].map(([ours, theirs]) => [theirs, { ours, shape: shapes.get(ours) ?? [] }] as const),
  );
}

test.each(Object.keys(TINY))("%s: every public name is taken to ours, and no other map claims the file", (network) => {
  const slots = tiny(network);
  const file = publicFile(network);
  const { label, found, problems, notes } = matchNames(slots, file);
  expect([label, problems, notes]).toEqual([TINY[network]?.label, [], []]);
  expect([...found].map(([name, { ours }]) => [name, ours]).filter(([name, ours]) => name !== ours)).toEqual([]);
  expect([...found.keys()].sort()).toEqual(slots.map(({ name }) => name).sort());
  const known = new Set(found.keys());
  for (const map of NAME_MAPS.filter((other) => other.label !== label)) {
    const places = [...file.keys()].map((name) => map.ours(name, known));
    const taken = places.filter((name) => name !== undefined && known.has(name)).length;
    expect(taken / file.size, map.label).toBeLessThan(0.9);
  }
});

const leaves = (layer: string) => [`${layer}.weight`, `${layer}.bias`];

test.each([
  ["unet", ["Conv1.conv.0.num_batches_tracked"], []],
  ["pranet", leaves("resnet.fc"), ["left out 2 tensors such as resnet.fc.weight: the encoder's ImageNet classifier"]],
  [
    "cfanet",
    [...leaves("layer_cat_ori1.0"), ...leaves("layer_cat32.1")],
    ["left out 4 tensors such as layer_cat_ori1.0.weight: layers its own forward pass does not use"],
  ],
  [
    "nnunet",
    ["encoder.stages.0.0.convs.1.all_modules.0.weight", "decoder.encoder.stages.0.0.convs.0.conv.weight"],
    [
      "left out 2 tensors such as encoder.stages.0.0.convs.1.all_modules.0.weight: second names of tensors that are there",
    ],
  ],
])(
  "%s: tensors that the published network does not use are left out by name, which is said",
  (network, names, said) => {
    const file = new Map([...publicFile(network), ...names.map((name) => [name, { ours: "", shape: [1] }] as const)]);
    const { problems, notes } = matchNames(tiny(network), file);
    expect([problems, notes]).toEqual([[], said]);
  },
);

test("TransNetR without the stage that nobody reads leaves it out", () => {
  const file = publicFile("transnetr");
  const count = [...file.keys()].filter((name) => name.startsWith("layer4.")).length;
  const { problems, notes } = matchNames(tiny("transnetr", { unread: false }), file);
  const said = `left out ${count} tensors such as layer4.0.conv1.weight: encoder stages that this network has not`;
  expect([problems, notes]).toEqual([[], [said]]);
});

test("a UNet++ without deep supervision calls its classifier final", () => {
  const file = publicFile("unetpp");
  const only = new Map([...file].filter(([name]) => !/^final[12]\./.test(name)));
  for (const leaf of ["weight", "bias"]) {
    const tensor = only.get(`final3.${leaf}`);
    only.delete(`final3.${leaf}`);
    if (tensor) only.set(`final.${leaf}`, tensor);
  }
  const { found, problems } = matchNames(tiny("unetpp", { deep: false }), only);
  expect([found.get("head.3.bias")?.ours, problems]).toEqual(["head.3.bias", []]);
});

test("torchvision's DeepLabV3 fills every tensor of ours with one of its shape", () => {
  const lines = ORACLE.get("deeplabv3") ?? [];
  const file = new Map(lines.map(([name = "", shape = ""]) => [name, { name, shape: shape.split("x").map(Number) }]));
  const slots = slotsOf({ ...DEEPLABV3, classes: 21 });
  const { label, found, problems, notes } = matchNames(slots, file);
  expect([label, problems, notes, found.size]).toEqual(["torchvision's DeepLabV3", [], [], slots.length]);
  const pairs = [
    ["encoder.stage.2.5.b.conv.weight", "backbone.layer3.5.conv2.weight"],
    ["aspp.point.norm.weight", "classifier.0.convs.0.1.weight"],
    ["aspp.atrous.0.conv.weight", "classifier.0.convs.1.0.weight"],
    ["aspp.atrous.2.norm.bias", "classifier.0.convs.3.1.bias"],
    ["aspp.image.conv.weight", "classifier.0.convs.4.1.weight"],
    ["aspp.merge.norm.running_var", "classifier.0.project.1.running_var"],
    ["head.mix.norm.running_mean", "classifier.2.running_mean"],
    ["head.classify.bias", "classifier.4.bias"],
    ["aux.mix.conv.weight", "aux_classifier.0.weight"],
    ["aux.classify.weight", "aux_classifier.4.weight"],
  ] as const;
  expect(pairs.map(([ours]) => [ours, found.get(ours)?.name])).toEqual(pairs);
});

test("a file of one foreground class says which tensors need another class count", () => {
  const file = new Map(publicFile("pranet"));
  file.set("agg1.conv5.bias", { ours: "", shape: [1] });
  const { problems } = matchNames(tiny("pranet"), file);
  expect(problems).toEqual(["agg1.conv5.bias is [1], decoder.head.bias is [3]"]);
});

test.each([
  ["unet", ["head.weight", "head.bias"]],
  ["cfanet", ["side.0.weight", "side.1.bias", "head.weight"]],
  ["transnetr", ["head.weight"]],
  ["pranet", ["decoder.head.weight", "reverse.0.head.conv.weight", "reverse.2.head.norm.running_var"]],
])("%s: of two classes a file of one has the foreground's rows", (network, rows) => {
  const slots = tiny(network, { classes: 2 });
  const file = [...publicFile(network)].map(([theirs, { ours, shape }]) => {
    const slot = slots.find(({ name }) => name === ours);
    const perClass = slot?.shape[0] === 2 && shape[0] === 3;
    return [theirs, { ours, shape: perClass ? [1, ...shape.slice(1)] : shape }] as const;
  });
  const { foreground, problems } = matchNames(slots, new Map(file));
  expect([problems, [...foreground].filter(([name, { ours }]) => name !== ours)]).toEqual([[], []]);
  expect([...foreground.keys()]).toEqual(expect.arrayContaining(rows));
  expect(matchNames(tiny(network), new Map(file)).problems).toHaveLength(foreground.size);
});

test("a file of another network is called by its own name", () => {
  const { label, found } = matchNames(tiny("nnunet"), publicFile("cfanet"));
  expect([label, found.size]).toEqual(["the public CFANet", 0]);
});
