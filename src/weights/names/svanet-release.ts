import { less } from "./rules.ts";

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
