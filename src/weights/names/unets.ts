import { byRules, kindOf, less, type NameMap, type Rule, tripleAt } from "./rules.ts";

/** LeeJunHyun's Image_Segmentation. Levels count from 1, those of the way up from below. */
const UNET: readonly Rule[] = [
  [/^Conv(\d)\.conv\.([0134])\.(\w+)$/, (i = "", at = "", leaf) => `enc.${less(i)}.${tripleAt(at)}.${leaf}`],
  [/^Up(\d)\.up\.([12])\.(\w+)$/, (i, at, leaf) => `up.${5 - Number(i)}.${at === "1" ? "conv" : "norm"}.${leaf}`],
  [/^Up_conv(\d)\.conv\.([0134])\.(\w+)$/, (i, at = "", leaf) => `dec.${5 - Number(i)}.${tripleAt(at)}.${leaf}`],
  [/^Conv_1x1\.(\w+)$/, (leaf) => `head.${leaf}`],
];

/** 4uiiurz1's pytorch-nested-unet. */
const UNETPP: readonly Rule[] = [
  [
    /^conv(\d_\d)\.(conv|bn)([12])\.(\w+)$/,
    (node, kind = "", i = "", leaf) => `node.${node}.${less(i)}.${kindOf(kind)}.${leaf}`,
  ],
  [/^final(\d)\.(\w+)$/, (j, leaf) => `head.${j}.${leaf}`],
];

/** The only classifier of a UNet++ without deep supervision, which its release does not number. */
function onlyHead(theirs: string, known: ReadonlySet<string>): string | undefined {
  const leaf = /^final\.(\w+)$/.exec(theirs)?.[1];
  if (leaf === undefined) return undefined;
  const heads = [...known].filter((name) => /^head\.\d\./.test(name) && name.endsWith(`.${leaf}`));
  return heads.length === 1 ? heads[0] : undefined;
}

/** nnU-Net v2's PlainConvUNet, of dynamic-network-architectures. */
const NNUNET: readonly Rule[] = [
  [
    /^encoder\.stages\.(\d)\.0\.convs\.(\d)\.(conv|norm)\.(\w+)$/,
    (i, j, kind, leaf) => `enc.${i}.${j}.${kind}.${leaf}`,
  ],
  [/^decoder\.stages\.(\d)\.convs\.(\d)\.(conv|norm)\.(\w+)$/, (i, j, kind, leaf) => `dec.${i}.${j}.${kind}.${leaf}`],
  [/^decoder\.transpconvs\.(\d)\.(\w+)$/, (i, leaf) => `up.${i}.${leaf}`],
  [/^decoder\.seg_layers\.(\d)\.(\w+)$/, (i, leaf) => `head.${i}.${leaf}`],
];

/** None of these networks has a backbone of its own. */
const NO_BACKBONE = /^$/;
const HEADS = /^head\./;

export const UNET_MAPS: readonly NameMap[] = [
  {
    label: "the public U-Net",
    ours: (name) => byRules(name, UNET),
    unused: [],
    backbone: NO_BACKBONE,
    classRows: HEADS,
  },
  {
    label: "the public UNet++",
    ours: (name, known) => byRules(name, UNETPP) ?? onlyHead(name, known),
    unused: [],
    backbone: NO_BACKBONE,
    classRows: HEADS,
  },
  {
    label: "nnU-Net v2",
    ours: (name) => byRules(name, NNUNET),
    unused: [{ names: /^decoder\.encoder\.|\.all_modules\.\d+\./, what: "second names of tensors that are there" }],
    backbone: NO_BACKBONE,
  },
];
