/**
 * Names of tensors in publicly distributed files, beside ours. Each map was checked against the public code: the same
 * weights under both names give the same outputs.
 */

/** How a public file's names belong to ours. */
export interface NameMap {
  /** As in "names as in LABEL". */
  readonly label: string;
  /** Our name of one of the file's tensors; undefined when the map has no rule for it. */
  readonly ours: (theirs: string, known: ReadonlySet<string>) => string | undefined;
  /** Tensors of the file that networks here have no place for, such as the ImageNet classifier. */
  readonly dropped: RegExp;
  /** Of our names those that a file of a backbone alone fills. */
  readonly backbone: RegExp;
}

type Rule = readonly [pattern: RegExp, name: (...groups: string[]) => string];

function byRules(name: string, rules: readonly Rule[]): string | undefined {
  for (const [pattern, make] of rules) {
    const found = pattern.exec(name);
    if (found) return make(...found.slice(1));
  }
  return undefined;
}

const kindOf = (kind: string): string => (kind === "conv" ? "conv" : "norm");
const kindAt = (index: string): string => (index === "0" ? "conv" : "norm");
const less = (digit: string, by = 1): number => Number(digit) - by;
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
const OTHER_RESNET = resnetRules("stage", LETTERS);

/** Res2Net-50 v1b 26w 4s: a stem of three convolutions, groups of four, shortcuts that are averaged first. */
const RES2NET: readonly Rule[] = [
  [
    /^conv1\.(\d)\.(\w+)$/,
    (i = "", leaf) => `encoder.stem.${Math.floor(Number(i) / 3)}.${kindAt(String(Number(i) % 3))}.${leaf}`,
  ],
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
    (l = "", b, i = "", leaf) => `encoder.stage.${less(l)}.${b}.skip.${kindAt(String(less(i)))}.${leaf}`,
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

type Change = readonly [RegExp, string | ((text: string, ...groups: string[]) => string)];

const before =
  (make: (...numbers: number[]) => string) =>
  (_: string, ...groups: string[]): string =>
    make(...groups.filter((group) => /^\d$/.test(group)).map((digit) => Number(digit) - 1));
const link =
  (part: string) =>
  (_: string, digit = ""): string =>
    `links.${4 - Number(digit)}.${part}.`;

/** The authors' SvANet: applied one after the other, where they match. */
const RELEASE: readonly Change[] = [
  [/^Encoder\.Conv1\./, "encoder.stem."],
  [/^Encoder\.Layer1\.1\.(\d+)\./, "encoder.stages.0.$1."],
  [/^Encoder\.Layer(\d)\.(\d+)\./, (_, stage = "", block = "") => `encoder.stages.${less(stage)}.${block}.`],
  [/^(encoder\.stages\.\d\.\d+)\.Conv1\./, "$1.first."],
  [/^(encoder\.stages\.\d\.\d+)\.Conv2\./, "$1.second."],
  [/^(encoder\.stages\.\d\.\d+)\.Conv3\./, "$1.third."],
  [/^(encoder\.stages\.\d\.\d+)\.Downsample\./, "$1.skip."],
  [/^SegHead\.Aspp\.aspp_layer\.Convs\.0\./, "aspp.point."],
  [/^SegHead\.Aspp\.aspp_layer\.Convs\.([123])\./, before((i) => `aspp.atrous.${i}.`)],
  [/^SegHead\.Aspp\.aspp_layer\.Convs\.4\.AsppPool\.conv_1x1\./, "aspp.image."],
  [/^SegHead\.Aspp\.aspp_layer\.Project\./, "aspp.merge."],
  [/^SegHead\.ConvB(\d)\.Bottleneck\.0\./, before((i) => `necks.${i}.enter.`)],
  [/^SegHead\.ConvB(\d)\.Bottleneck\.1\./, before((i) => `necks.${i}.spatial.`)],
  [/^SegHead\.ConvB(\d)\.Bottleneck\.2\.SELayer\.(?:0|fc1)\./, before((i) => `necks.${i}.gate.down.`)],
  [/^SegHead\.ConvB(\d)\.Bottleneck\.2\.SELayer\.(?:1|fc2)\./, before((i) => `necks.${i}.gate.up.`)],
  [/^SegHead\.ConvB(\d)\.Bottleneck\.3\./, before((i) => `necks.${i}.leave.`)],
  [/^SegHead\.ConvB(\d)\.ViTLayer\./, before((i) => `necks.${i}.former.`)],
  [/^SegHead\.Convr(\d)(\d)\.Conv(\d)\.Conv\.0\./, before((s, t, i) => `guides.${s}-${t}.steps.${i}.spatial.`)],
  [/^SegHead\.Convr(\d)(\d)\.Conv(\d)\.Conv\.1\./, before((s, t, i) => `guides.${s}-${t}.steps.${i}.mix.`)],
  [/^SegHead\.Convr(\d)(\d)\.Squeeze(\d)\./, before((s, t, i) => `guides.${s}-${t}.probes.${i}.`)],
  [/^SegHead\.LinkHead\.UpLink(\d)\.TPConv\.0\./, link("up.enter")],
  [/^SegHead\.LinkHead\.UpLink(\d)\.TPConv\.1\./, link("up.stretch")],
  [/^SegHead\.LinkHead\.UpLink(\d)\.TPConv\.2\./, link("up.leave")],
  [/^SegHead\.LinkHead\.CatLinkConv(\d)\.Conv\.0\./, link("join.spatial")],
  [/^SegHead\.LinkHead\.CatLinkConv(\d)\.Conv\.1\./, link("join.mix")],
  [/^SegHead\.LinkHead\.ViTLayer(\d)\./, link("former")],
  [/^SegHead\.Classifier\.Classifier\./, "classifier."],
  [/\.LocalRep\.0\./, ".local."],
  [/\.LocalRep\.1\.SELayer\.(?:0|fc1)\./, ".gate.down."],
  [/\.LocalRep\.1\.SELayer\.(?:1|fc2)\./, ".gate.up."],
  [/\.LocalRep\.2\./, ".embed."],
  [/\.GlobalRep\.(\d+)\.PreNormAttn\.0\./, ".blocks.$1.norm_attention."],
  [/\.GlobalRep\.(\d+)\.PreNormAttn\.1\.qkv_proj\./, ".blocks.$1.project."],
  [/\.GlobalRep\.(\d+)\.PreNormAttn\.1\.out_proj\./, ".blocks.$1.merge."],
  [/\.GlobalRep\.(\d+)\.PreNormFfn\.0\./, ".blocks.$1.norm_mlp."],
  [/\.GlobalRep\.(\d+)\.PreNormFfn\.1\./, ".blocks.$1.widen."],
  [/\.GlobalRep\.(\d+)\.PreNormFfn\.3\./, ".blocks.$1.narrow."],
  [/\.GlobalRep\.\d+\.(weight|bias|running_mean|running_var|num_batches_tracked)$/, ".norm.$1"],
  [/\.ConvProj\./, ".fuse."],
  [/\.Conv\.(weight|bias)$/, ".conv.$1"],
  [/\.Bn\./, ".norm."],
];

/** Our name of a tensor of the authors' public SvANet; undefined when it does not begin as theirs do. */
export function releaseName(theirs: string): string | undefined {
  if (!/^(Encoder|SegHead)\./.test(theirs)) return undefined;
  return RELEASE.reduce((name, [pattern, by]) => name.replace(pattern, by as string), theirs);
}

const NEVER = /^$/;
const ENCODER = /^encoder\./;
const IMAGENET = /^(fc|head|classifier|last_linear)\./;

/** The maps, our own names first. */
export const NAME_MAPS: readonly NameMap[] = [
  {
    label: "this program",
    ours: (name, known) => (known.has(name) ? name : undefined),
    dropped: /^optimizer\./,
    backbone: ENCODER,
  },
  { label: "the authors' SvANet", ours: (name) => releaseName(name), dropped: NEVER, backbone: ENCODER },
  { label: "torchvision's ResNet", ours: (name) => byRules(name, SVANET_RESNET), dropped: IMAGENET, backbone: ENCODER },
  { label: "torchvision's ResNet", ours: (name) => byRules(name, OTHER_RESNET), dropped: IMAGENET, backbone: ENCODER },
  { label: "Res2Net-50 v1b 26w 4s", ours: (name) => byRules(name, RES2NET), dropped: IMAGENET, backbone: ENCODER },
  {
    label: "HRNetV2-W48",
    ours: (name) => byRules(name, HRNET),
    backbone: /^(?!mix\.|head\.)/,
    // The ImageNet file's own end, and fusions into branches whose result nobody reads here.
    dropped: /^(incre_modules|downsamp_modules|final_layer|classifier|stage4\.2\.fuse_layers\.[123])\./,
  },
];
