import { RES2NET, RESNET } from "./encoders.ts";
import { byRules, ENCODER, kindAt, kindOf, less, type NameMap, type Rule, within } from "./rules.ts";

/** DengPingFan's PraNet. Branches of reverse attention count from below: ra4 is the first. */
const PRANET: readonly Rule[] = [
  [
    /^rfb([234])_1\.branch(\d)\.(\d)\.(conv|bn)\.(\w+)$/,
    (i = "", branch, j, kind = "", leaf) => `rfb.${less(i, 2)}.branch.${branch}.${j}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^rfb([234])_1\.conv_(cat|res)\.(conv|bn)\.(\w+)$/,
    (i = "", part, kind = "", leaf) => `rfb.${less(i, 2)}.${part === "cat" ? "merge" : "skip"}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^agg1\.conv_upsample(\d)\.(conv|bn)\.(\w+)$/,
    (i = "", kind = "", leaf) => `decoder.lift.${less(i)}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^agg1\.conv_concat([23])\.(conv|bn)\.(\w+)$/,
    (i = "", kind = "", leaf) => `decoder.join.${less(i, 2)}.${kindOf(kind)}.${leaf}`,
  ],
  [/^agg1\.conv4\.(conv|bn)\.(\w+)$/, (kind = "", leaf) => `decoder.last.${kindOf(kind)}.${leaf}`],
  [/^agg1\.conv5\.(\w+)$/, (leaf) => `decoder.head.${leaf}`],
  [
    /^ra([432])_conv(\d)\.(conv|bn)\.(\w+)$/,
    (branch, i = "", kind = "", leaf) =>
      `reverse.${4 - Number(branch)}.${reversePart(branch, i)}.${kindOf(kind)}.${leaf}`,
  ],
];

/** The deepest branch has one convolution more between its first and its last. */
function reversePart(branch: string | undefined, layer: string): string {
  if (layer === "1") return "squeeze";
  return layer === (branch === "4" ? "5" : "4") ? "head" : `mid.${less(layer, 2)}`;
}

/** Where the boundary stream is gated, from coarse to fine. */
const GATES = ["ori", "0", "1", "2"];

/** taozh2017's CFANet. Names of the two streams end in 1 and 2. */
const CFANET: readonly Rule[] = [
  [/^layer([01])\.([01])\.(\w+)$/, (i, at = "", leaf) => `low.${i}.${kindAt(at)}.${leaf}`],
  [/^low_fusion\.gate_([12])\.(\w+)$/, (i = "", leaf) => `gate.${less(i)}.${leaf}`],
  [
    /^high_fusion([12])\.layer([01])\.(conv|bn)\.(\w+)$/,
    (i = "", side, kind = "", leaf) => `fuse.${less(i)}.${side === "0" ? "left" : "right"}.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^high_fusion([12])\.layer([35])_([12])\.([01])\.(\w+)$/,
    (i = "", size, j = "", at = "", leaf) =>
      `fuse.${less(i)}.${size === "3" ? "three" : "five"}.${less(j)}.${kindAt(at)}.${leaf}`,
  ],
  [
    /^high_fusion([12])\.layer_out\.([01])\.(\w+)$/,
    (i = "", at = "", leaf) => `fuse.${less(i)}.last.${kindAt(at)}.${leaf}`,
  ],
  [/^layer_edge([012])\.([01])\.(\w+)$/, (i, at = "", leaf) => `edge.${i}.${kindAt(at)}.${leaf}`],
  [/^layer_edge3\.0\.(\w+)$/, (leaf) => `edge_head.${leaf}`],
  [
    /^atten_edge_(ori|[012])\.fc([12])\.(\w+)$/,
    (at = "", i, leaf) => `attend.${GATES.indexOf(at)}.${i === "1" ? "down" : "rise"}.${leaf}`,
  ],
  [
    /^cat_(\d)([12])\.conv_layer\.(conv|bn)\.(\w+)$/,
    (j, stream = "", kind = "", leaf) => `merge.${less(stream)}.${j}.mix.${kindOf(kind)}.${leaf}`,
  ],
  [
    /^cat_(\d)([12])\.global_att\.global_att\.([1245])\.(\w+)$/,
    (j, stream = "", at = "", leaf) =>
      `merge.${less(stream)}.${j}.${Number(at) < 3 ? "down" : "rise"}.${kindAt((Number(at) - 1) % 3)}.${leaf}`,
  ],
  [
    /^layer_hig([012])([12])\.([01])\.(\w+)$/,
    (j, stream = "", at = "", leaf) => `refine.${less(stream)}.${j}.${kindAt(at)}.${leaf}`,
  ],
  [/^layer_hig3([12])\.0\.(\w+)$/, (stream = "", leaf) => `side.${less(stream)}.${leaf}`],
  [/^layer_fil\.0\.(\w+)$/, (leaf) => `head.${leaf}`],
];

const ATTENTION: Readonly<Record<string, string>> = {
  "self_attn.in_proj_weight": "attn.qkv.weight",
  "self_attn.in_proj_bias": "attn.qkv.bias",
  "self_attn.out_proj.weight": "attn.out.weight",
  "self_attn.out_proj.bias": "attn.out.bias",
};
const TRANSFORMER: Readonly<Record<string, string>> = { linear1: "ff1", linear2: "ff2", norm1: "ln1", norm2: "ln2" };
const PROJECTIONS = ["inp", "out", "skip"];
/** A residual block's part by the place of its layers in the sequence. */
const residual = (at: string): string => `${Number(at) < 3 ? "a" : "b"}.${kindAt(Number(at) % 3)}`;

/** DebeshJha's TransNetR has torchvision's ResNet-50, its stem and first stage in sequences. */
function transnetrEncoder(theirs: string): string | undefined {
  if (!/^layer(?:0\.[01]|1\.1|[234])\./.test(theirs)) return undefined;
  const torchvision = theirs
    .replace(/^layer0\.0\./, "conv1.")
    .replace(/^layer0\.1\./, "bn1.")
    .replace(/^layer1\.1\./, "layer1.");
  return byRules(torchvision, RESNET);
}

const TRANSNETR: readonly Rule[] = [
  [/^e(\d)\.conv\.([01])\.(\w+)$/, (i = "", at = "", leaf) => `lateral.${less(i)}.${kindAt(at)}.${leaf}`],
  [
    /^r([12])\.c([123])\.conv\.([01])\.(\w+)$/,
    (i = "", j = "", at = "", leaf) => `dec.${less(i)}.${PROJECTIONS[less(j)]}.${kindAt(at)}.${leaf}`,
  ],
  [
    /^r([12])\.te\.layers\.(\d)\.(self_attn\.(?:in_proj_|out_proj\.)(?:weight|bias))$/,
    (i = "", n, part = "") => `dec.${less(i)}.layer.${n}.${ATTENTION[part]}`,
  ],
  [
    /^r([12])\.te\.layers\.(\d)\.(linear[12]|norm[12])\.(\w+)$/,
    (i = "", n, part = "", leaf) => `dec.${less(i)}.layer.${n}.${TRANSFORMER[part]}.${leaf}`,
  ],
  [/^r([12])\.r1\.conv\.([0134])\.(\w+)$/, (i = "", at = "", leaf) => `dec.${less(i)}.res.${residual(at)}.${leaf}`],
  [
    /^r([12])\.r1\.shortcut\.([01])\.(\w+)$/,
    (i = "", at = "", leaf) => `dec.${less(i)}.res.skip.${kindAt(at)}.${leaf}`,
  ],
  [/^r3\.conv\.([0134])\.(\w+)$/, (at = "", leaf) => `dec.2.${residual(at)}.${leaf}`],
  [/^r3\.shortcut\.([01])\.(\w+)$/, (at = "", leaf) => `dec.2.skip.${kindAt(at)}.${leaf}`],
  [/^outputs\.(\w+)$/, (leaf) => `head.${leaf}`],
];

const CLASSIFIER = { names: /^resnet\.fc\./, what: "the encoder's ImageNet classifier" };

/** Networks for polyps, whose releases have one class against the background. */
export const POLYP_MAPS: readonly NameMap[] = [
  {
    label: "the public PraNet",
    ours: (name) => within("resnet.", name, RES2NET) ?? byRules(name, PRANET),
    unused: [CLASSIFIER],
    backbone: ENCODER,
    classRows: /^(decoder|reverse\.\d)\.head\./,
  },
  {
    label: "the public CFANet",
    ours: (name) => within("resnet.", name, RES2NET) ?? byRules(name, CFANET),
    unused: [CLASSIFIER, { names: /^layer_cat(_ori)?\d+\./, what: "layers its own forward pass does not use" }],
    backbone: ENCODER,
    classRows: /^(side\.\d|head)\./,
  },
  {
    label: "the public TransNetR",
    ours: (name) => transnetrEncoder(name) ?? byRules(name, TRANSNETR),
    unused: [],
    backbone: ENCODER,
    classRows: /^head\./,
  },
];
