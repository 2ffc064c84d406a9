import { expect, test } from "vitest";
import { SVANET_PRESETS, scaled } from "../../../src/model/svanet/config.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";
import { matchNames } from "../../../src/weights/match.ts";
import { NAME_MAPS } from "../../../src/weights/names/name-maps.ts";
import { releaseName } from "../../../src/weights/names/svanet-release.ts";

const mapOf = (label: string, theirs: string) =>
  NAME_MAPS.filter((map) => map.label === label).map((map) => map.ours(theirs, new Set()));

test.each([
  ["torchvision's ResNet", "conv1.weight", ["encoder.stem.conv.weight", "encoder.stem.conv.weight"]],
  ["torchvision's ResNet", "bn1.running_var", ["encoder.stem.norm.running_var", "encoder.stem.norm.running_var"]],
  [
    "torchvision's ResNet",
    "layer3.5.conv3.weight",
    ["encoder.stages.2.5.third.conv.weight", "encoder.stage.2.5.c.conv.weight"],
  ],
  [
    "torchvision's ResNet",
    "layer1.0.downsample.1.bias",
    ["encoder.stages.0.0.skip.norm.bias", "encoder.stage.0.0.skip.norm.bias"],
  ],
  ["Res2Net-50 v1b 26w 4s", "conv1.0.weight", ["encoder.stem.0.conv.weight"]],
  ["Res2Net-50 v1b 26w 4s", "conv1.4.bias", ["encoder.stem.1.norm.bias"]],
  ["Res2Net-50 v1b 26w 4s", "conv1.6.weight", ["encoder.stem.2.conv.weight"]],
  ["Res2Net-50 v1b 26w 4s", "bn1.weight", ["encoder.stem.2.norm.weight"]],
  ["Res2Net-50 v1b 26w 4s", "layer2.1.convs.2.weight", ["encoder.stage.1.1.part.2.conv.weight"]],
  ["Res2Net-50 v1b 26w 4s", "layer4.0.bn3.weight", ["encoder.stage.3.0.expand.norm.weight"]],
  ["Res2Net-50 v1b 26w 4s", "layer2.0.downsample.2.weight", ["encoder.stage.1.0.skip.norm.weight"]],
  ["HRNetV2-W48", "conv2.weight", ["stem.1.conv.weight"]],
  ["HRNetV2-W48", "layer1.3.bn2.weight", ["stage1.3.b.norm.weight"]],
  ["HRNetV2-W48", "transition2.2.0.1.bias", ["widen.2.norm.bias"]],
  ["HRNetV2-W48", "stage3.1.branches.2.3.conv2.weight", ["stage.1.1.branch.2.3.b.conv.weight"]],
  ["HRNetV2-W48", "stage4.0.fuse_layers.0.3.1.weight", ["stage.2.0.fuse.0_3.0.norm.weight"]],
  ["HRNetV2-W48", "stage4.0.fuse_layers.3.0.2.0.weight", ["stage.2.0.fuse.3_0.2.conv.weight"]],
  ["HRNetV2-W48", "last_layer.3.bias", ["head.bias"]],
])("%s: %s", (label, theirs, ours) => expect(mapOf(label, theirs)).toEqual(ours));

/** Below an AssemFormer. */
const former = (rest: string) =>
  rest
    .replace(/^local\./, "LocalRep.0.")
    .replace(/^embed\./, "LocalRep.2.")
    .replace(/^blocks\.(\d)\.norm_attention\./, "GlobalRep.$1.PreNormAttn.0.")
    .replace(/^blocks\.(\d)\.project\./, "GlobalRep.$1.PreNormAttn.1.qkv_proj.")
    .replace(/^blocks\.(\d)\.merge\./, "GlobalRep.$1.PreNormAttn.1.out_proj.")
    .replace(/^blocks\.(\d)\.norm_mlp\./, "GlobalRep.$1.PreNormFfn.0.")
    .replace(/^blocks\.(\d)\.widen\./, "GlobalRep.$1.PreNormFfn.1.")
    .replace(/^blocks\.(\d)\.narrow\./, "GlobalRep.$1.PreNormFfn.3.")
    .replace(/^norm\./, "GlobalRep.2.")
    .replace(/^fuse\./, "ConvProj.");

/** Names of the authors' SvANet by our names, written the other way round than the program's map. */
function toRelease(name: string): string {
  const plus = (digit = "") => String(Number(digit) + 1);
  const pairs: readonly [RegExp, (...groups: string[]) => string][] = [
    [/^encoder\.stem\.(.*)$/, (rest = "") => `Encoder.Conv1.${rest}`],
    [/^encoder\.stages\.0\.(\d)\.(.*)$/, (b, rest = "") => `Encoder.Layer1.1.${b}.${rest}`],
    [/^encoder\.stages\.(\d)\.(\d)\.(.*)$/, (s, b, rest = "") => `Encoder.Layer${plus(s)}.${b}.${rest}`],
    [/^aspp\.point\.(.*)$/, (rest) => `SegHead.Aspp.aspp_layer.Convs.0.${rest}`],
    [/^aspp\.atrous\.(\d)\.(.*)$/, (i, rest) => `SegHead.Aspp.aspp_layer.Convs.${plus(i)}.${rest}`],
    [/^aspp\.image\.(.*)$/, (rest) => `SegHead.Aspp.aspp_layer.Convs.4.AsppPool.conv_1x1.${rest}`],
    [/^aspp\.merge\.(.*)$/, (rest) => `SegHead.Aspp.aspp_layer.Project.${rest}`],
    [/^necks\.(\d)\.enter\.(.*)$/, (b, rest) => `SegHead.ConvB${plus(b)}.Bottleneck.0.${rest}`],
    [/^necks\.(\d)\.spatial\.(.*)$/, (b, rest) => `SegHead.ConvB${plus(b)}.Bottleneck.1.${rest}`],
    [/^necks\.(\d)\.gate\.down\.(.*)$/, (b, rest) => `SegHead.ConvB${plus(b)}.Bottleneck.2.SELayer.fc1.${rest}`],
    [/^necks\.(\d)\.gate\.up\.(.*)$/, (b, rest) => `SegHead.ConvB${plus(b)}.Bottleneck.2.SELayer.fc2.${rest}`],
    [/^necks\.(\d)\.leave\.(.*)$/, (b, rest) => `SegHead.ConvB${plus(b)}.Bottleneck.3.${rest}`],
    [/^necks\.(\d)\.former\.(.*)$/, (b, rest = "") => `SegHead.ConvB${plus(b)}.ViTLayer.${former(rest)}`],
    [
      /^guides\.(\d)-(\d)\.steps\.(\d)\.spatial\.(.*)$/,
      (s, t, i, r) => `SegHead.Convr${plus(s)}${plus(t)}.Conv${plus(i)}.Conv.0.${r}`,
    ],
    [
      /^guides\.(\d)-(\d)\.steps\.(\d)\.mix\.(.*)$/,
      (s, t, i, r) => `SegHead.Convr${plus(s)}${plus(t)}.Conv${plus(i)}.Conv.1.${r}`,
    ],
    [
      /^guides\.(\d)-(\d)\.probes\.(\d)\.(.*)$/,
      (s, t, i, r) => `SegHead.Convr${plus(s)}${plus(t)}.Squeeze${plus(i)}.${r}`,
    ],
    [
      /^links\.(\d)\.up\.(enter|stretch|leave)\.(.*)$/,
      (b = "", part = "", r) =>
        `SegHead.LinkHead.UpLink${4 - Number(b)}.TPConv.${["enter", "stretch", "leave"].indexOf(part)}.${r}`,
    ],
    [
      /^links\.(\d)\.join\.(spatial|mix)\.(.*)$/,
      (b = "", part, r) => `SegHead.LinkHead.CatLinkConv${4 - Number(b)}.Conv.${part === "mix" ? 1 : 0}.${r}`,
    ],
    [/^links\.(\d)\.former\.(.*)$/, (b = "", rest = "") => `SegHead.LinkHead.ViTLayer${4 - Number(b)}.${former(rest)}`],
    [/^classifier\.(.*)$/, (rest) => `SegHead.Classifier.Classifier.${rest}`],
  ];
  for (const [pattern, make] of pairs) {
    const found = pattern.exec(name);
    if (!found) continue;
    const whole = make(...found.slice(1));
    const blocks = whole
      .replace(/(Encoder\..*)\.first\./, "$1.Conv1.")
      .replace(/(Encoder\..*)\.second\./, "$1.Conv2.")
      .replace(/(Encoder\..*)\.third\./, "$1.Conv3.")
      .replace(/(Encoder\..*)\.skip\./, "$1.Downsample.");
    return blocks.replace(/\.conv\.(weight|bias)$/, ".Conv.$1").replace(/\.norm\./, ".Bn.");
  }
  throw new Error(`no public name for ${name}`);
}

const release = scaled({ ...SVANET_PRESETS["svanet-release"], encoder: "mini-bottleneck", height: 64, width: 64 }, 8);
const { build } = traceNetwork(release, { mode: "eval", batch: 2 });
const slots = build.parameters.list().filter(({ kind }) => kind !== "region");

test("the authors' SvANet fills every tensor of the preset svanet-release, by name", () => {
  for (const { name } of slots) expect(releaseName(toRelease(name))).toBe(name);
  const file = new Map(slots.map((slot) => [toRelease(slot.name), { shape: slot.shape }]));
  file.set("Encoder.Conv1.Bn.num_batches_tracked", { shape: [] });
  const { label, found, problems } = matchNames(build.parameters.list(), file);
  expect([label, found.size, problems]).toEqual(["the authors' SvANet", slots.length, []]);
});

test("a whole ResNet-50 fills an encoder that ends before its last stage", () => {
  const encoder = [
    { name: "encoder.stem.conv.weight", shape: [1], kind: "weight" },
    { name: "encoder.stage.0.0.a.conv.weight", shape: [1], kind: "weight" },
  ];
  const names = [
    "conv1.weight",
    "layer1.0.conv1.weight",
    "layer4.2.conv3.weight",
    "fc.weight",
    "layer1.1.conv1.weight",
  ];
  const { found, problems } = matchNames(encoder, new Map(names.map((name) => [name, { shape: [1] }])));
  expect(found.size).toBe(2);
  expect(problems).toEqual(["layer1.1.conv1.weight has no place in the network"]);
});

test("an incomplete file names what is missing, with the nearest name", () => {
  const file = new Map(slots.map((slot) => [slot.name, { shape: slot.shape }]));
  file.delete("classifier.conv.bias");
  file.set("classifier.conv.bia", { shape: [8] });
  file.set("optimizer.first.classifier.conv.bias", { shape: [8] });
  expect(matchNames(build.parameters.list(), file).problems).toEqual([
    "classifier.conv.bias is missing (nearest: classifier.conv.bia)",
    "classifier.conv.bia has no place in the network (nearest: classifier.conv.bias)",
  ]);
});
