import { byRules, ENCODER, kindAt, kindOf, less, type NameMap, type Rule, tripleAt, type Unused } from "./rules.ts";

const LETTERS = ["a", "b", "c"] as const;
const UNITS = ["first", "second", "third"] as const;

/** torchvision's ResNets, and timm's; SvANet's encoder counts blocks in words, the other networks' in letters. */
const resnetRules = (stage: string, unit: readonly string[]): Rule[] => [
  [/^conv1\.(\w+)$/, (leaf) => `encoder.stem.conv.${leaf}`],
  [/^bn1\.(\w+)$/, (leaf) => `encoder.stem.norm.${leaf}`],
  [
    /^layer(\d)\.(\d+)\.(conv|bn)([123])\.(\w+)$/,
    (l = "", b, kind = "", i = "", leaf) => `encoder.${stage}.${less(l)}.${b}.${unit[less(i)]}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^layer(\d)\.(\d+)\.downsample\.([01])\.(\w+)$/,
    (l = "", b, i = "", leaf) => `encoder.${stage}.${less(l)}.${b}.skip.${kindAt(i)}.${leaf}`,
  ],
];

const SVANET_RESNET = resnetRules("stages", UNITS);
/** For encoders of networks other than SvANet. */
export const RESNET: readonly Rule[] = resnetRules("stage", LETTERS);

/** Res2Net-50 v1b 26w 4s: a stem of three convolutions, groups of four, shortcuts that are averaged first. */
export const RES2NET: readonly Rule[] = [
  [/^conv1\.(\d)\.(\w+)$/, (i = "", leaf) => `encoder.stem.${tripleAt(i)}.${leaf}`],
  [/^bn1\.(\w+)$/, (leaf) => `encoder.stem.2.norm.${leaf}`],
  [
    /^layer(\d)\.(\d+)\.(conv|bn)([13])\.(\w+)$/,
    (l = "", b, kind = "", i, leaf) =>
      `encoder.stage.${less(l)}.${b}.${i === "1" ? "reduce" : "expand"}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^layer(\d)\.(\d+)\.(conv|bn)s\.(\d)\.(\w+)$/,
    (l = "", b, kind = "", i, leaf) => `encoder.stage.${less(l)}.${b}.part.${i}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^layer(\d)\.(\d+)\.downsample\.([12])\.(\w+)$/,
    (l = "", b, i = "", leaf) => `encoder.stage.${less(l)}.${b}.skip.${kindAt(less(i))}.${leaf}`,
  ],
];

const WIDEN: Readonly<Record<string, string>> = { "1.0": "0", "1.1.0": "1", "2.2.0": "2", "3.3.0": "3" };

/** HRNetV2-W48, ImageNet and segmentation files. Fusions upwards have one layer, downwards a chain. */
const HRNET: readonly Rule[] = [
  [/^(conv|bn)([12])\.(\w+)$/, (kind = "", i = "", leaf) => `stem.${less(i)}.${kindOf(kind)}.${leaf}`],
  [
    /^layer1\.(\d+)\.(conv|bn)([123])\.(\w+)$/,
    (b, kind = "", i = "", leaf) => `stage1.${b}.${LETTERS[less(i)]}.${kindOf(kind)}.${leaf}`,
  ],
  [/^layer1\.(\d+)\.downsample\.([01])\.(\w+)$/, (b, i = "", leaf) => `stage1.${b}.skip.${kindAt(i)}.${leaf}`],
  [
    /^transition(1\.0|1\.1\.0|2\.2\.0|3\.3\.0)\.([01])\.(\w+)$/,
    (at = "", i = "", leaf) => `widen.${WIDEN[at]}.${kindAt(i)}.${leaf}`,
  ],
  [
    /^stage([234])\.(\d)\.branches\.(\d)\.(\d)\.(conv|bn)([12])\.(\w+)$/,
    (g = "", m, i, n, kind = "", unit = "", leaf) =>
      `stage.${less(g, 2)}.${m}.branch.${i}.${n}.${LETTERS[less(unit)]}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^stage([234])\.(\d)\.fuse_layers\.(\d)\.(\d)\.([01])\.(\w+)$/,
    (g = "", m, i, j, part = "", leaf) => `stage.${less(g, 2)}.${m}.fuse.${i}_${j}.0.${kindAt(part)}.${leaf}`,
  ],
  [
    /^stage([234])\.(\d)\.fuse_layers\.(\d)\.(\d)\.(\d)\.([01])\.(\w+)$/,
    (g = "", m, i, j, t, part = "", leaf) => `stage.${less(g, 2)}.${m}.fuse.${i}_${j}.${t}.${kindAt(part)}.${leaf}`,
  ],
  [/^last_layer\.([01])\.(\w+)$/, (i = "", leaf) => `mix.${kindAt(i)}.${leaf}`],
  [/^last_layer\.3\.(\w+)$/, (leaf) => `head.${leaf}`],
];

const CLASSIFIER: Unused = { names: /^(fc|head|classifier|last_linear)\./, what: "the ImageNet classifier" };

/** A ResNet or Res2Net that was trained on ImageNet. */
const imagenet = (label: string, rules: readonly Rule[]): NameMap => ({
  label,
  ours: (name) => byRules(name, rules),
  unused: [CLASSIFIER],
  backbone: ENCODER,
});

/** Files of encoders alone; HRNetV2's segmentation file is the whole network. */
export const ENCODER_MAPS: readonly NameMap[] = [
  imagenet("torchvision's ResNet", SVANET_RESNET),
  imagenet("torchvision's ResNet", RESNET),
  imagenet("Res2Net-50 v1b 26w 4s", RES2NET),
  {
    label: "HRNetV2-W48",
    ours: (name) => byRules(name, HRNET),
    backbone: /^(?!mix\.|head\.)/,
    unused: [
      {
        names: /^(incre_modules|downsamp_modules|final_layer|classifier)\./,
        what: "the ImageNet or pose network's own end",
      },
      { names: /^stage4\.2\.fuse_layers\.[123]\./, what: "fusions into branches whose result nobody reads here" },
    ],
  },
];
