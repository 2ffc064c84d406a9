import { RESNET } from "./encoders.ts";
import { byRules, ENCODER, kindAt, type NameMap, type Rule, within } from "./rules.ts";

/** By place in the sequence. The pyramid is first in the main head; activation and dropout have no tensors. */
const MAIN: Readonly<Record<string, string>> = { "1": "mix.conv", "2": "mix.norm", "4": "classify" };
const AUXILIARY: Readonly<Record<string, string>> = { "0": "mix.conv", "1": "mix.norm", "4": "classify" };

/** torchvision's deeplabv3_resnet50. */
const DEEPLABV3: readonly Rule[] = [
  [/^classifier\.0\.convs\.0\.([01])\.(\w+)$/, (at = "", leaf) => `aspp.point.${kindAt(at)}.${leaf}`],
  [
    /^classifier\.0\.convs\.([123])\.([01])\.(\w+)$/,
    (i, at = "", leaf) => `aspp.atrous.${Number(i) - 1}.${kindAt(at)}.${leaf}`,
  ],
  // Behind the pooling.
  [/^classifier\.0\.convs\.4\.([12])\.(\w+)$/, (at, leaf) => `aspp.image.${kindAt(Number(at) - 1)}.${leaf}`],
  [/^classifier\.0\.project\.([01])\.(\w+)$/, (at = "", leaf) => `aspp.merge.${kindAt(at)}.${leaf}`],
  [/^classifier\.([124])\.(\w+)$/, (at = "", leaf) => `head.${MAIN[at]}.${leaf}`],
  [/^aux_classifier\.([014])\.(\w+)$/, (at = "", leaf) => `aux.${AUXILIARY[at]}.${leaf}`],
];

export const DEEPLABV3_MAP: NameMap = {
  label: "torchvision's DeepLabV3",
  ours: (name) => within("backbone.", name, RESNET) ?? byRules(name, DEEPLABV3),
  unused: [],
  backbone: ENCODER,
};
