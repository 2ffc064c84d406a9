import { SVANET_PRESETS } from "../model/svanet/config.ts";
import { asFactors, asNumber, asNumbers, asSwitch, asText, type OptionTable } from "./option-row.ts";

/** Parts of SvANet that a preset chooses otherwise. */
const SVANET_PART = { group: "Network", omitted: "the preset's" } as const;

const SVANET_OPTIONS = {
  encoder: {
    ...SVANET_PART,
    argument: "<name>",
    help: "SvANet's encoder",
    parse: asText,
    sample: ["mini", "mini"],
    omitted: `the preset's, ${SVANET_PRESETS.svanet.encoder}`,
  },
  neckAttention: {
    ...SVANET_PART,
    argument: "<kind>",
    help: "SvANet's attention in the MCBottleneck",
    parse: asText,
    sample: ["coord", "coord"],
  },
  mcSizes: {
    ...SVANET_PART,
    argument: "<list>",
    help: "SvANet's pooled sizes of Monte Carlo attention, such as 1,2,3",
    parse: asNumbers,
    sample: ["2,3", [2, 3]],
  },
  svMode: {
    ...SVANET_PART,
    argument: "<mode>",
    help: "SvANet's scale-variant attention",
    parse: asText,
    sample: ["mean", "mean"],
  },
  link: {
    ...SVANET_PART,
    argument: "<kind>",
    help: "how SvANet's decoder joins the encoder's map of the same size",
    parse: asText,
    sample: ["add", "add"],
  },
  formerBefore: {
    ...SVANET_PART,
    argument: "<on|off>",
    help: "SvANet's AssemFormer in front of the guidance",
    parse: asSwitch,
    sample: ["off", false],
  },
  formerAfter: {
    ...SVANET_PART,
    argument: "<on|off>",
    help: "SvANet's AssemFormer behind each joint",
    parse: asSwitch,
    sample: ["off", false],
  },
  formerHeads: {
    ...SVANET_PART,
    argument: "<n>",
    help: "heads of the attention in SvANet's AssemFormer, for presets whose attention has heads (svanet-text)",
    parse: asNumber,
    sample: ["2", 2],
  },
  formerGateBefore: {
    ...SVANET_PART,
    argument: "<kind>",
    help: "SvANet's attention in the AssemFormer in front",
    parse: asText,
    sample: ["cbam", "cbam"],
  },
  formerGateAfter: {
    ...SVANET_PART,
    argument: "<kind>",
    help: "SvANet's attention in the AssemFormer behind",
    parse: asText,
    sample: ["se", "se"],
  },
} satisfies Partial<OptionTable>;

/** The rows that decide which network is trained, and what its weights start as. */
export const NETWORK_OPTIONS = {
  model: {
    group: "Network",
    argument: "<name>",
    help: "network by its name; svanet models lists all",
    parse: asText,
    sample: ["hrnet", "hrnet"],
  },
  preset: {
    group: "Network",
    argument: "<name>",
    help: "SvANet as the paper measured it, as its text describes it, or as its authors published it",
    parse: asText,
    sample: ["svanet-text", "svanet-text"],
  },
  ...SVANET_OPTIONS,
  width: {
    group: "Network",
    argument: "<n>",
    help: `channels where the network is narrowest, which scale every layer; SvANet's are ${SVANET_PRESETS.svanet.base}`,
    parse: asNumber,
    sample: ["8", 8],
    omitted: "the network's own",
  },
  ablation: {
    group: "Network",
    argument: "<key>",
    help: "switch SvANet's parts as a row of an ablation table does, such as t4-neck",
    parse: asText,
    sample: ["t4-neck", "t4-neck"],
    omitted: "the whole network",
  },
  classes: {
    group: "Network",
    argument: "<n>",
    help: "classes including the background",
    parse: asNumber,
    sample: ["3", 3],
    omitted: "from dataset.yaml, else counted in the masks",
  },
  weights: {
    group: "Network",
    argument: "<file>",
    help: "pretrained weights, of the encoder or the whole network: .pth, .pt, .safetensors or a checkpoint",
    parse: asText,
    sample: ["resnet50.pth", "resnet50.pth"],
    omitted: "start from random weights",
  },
  partial: {
    group: "Network",
    argument: "",
    help: "allow weights to lack tensors or to have ones that do not fit; all are listed",
    parse: asText,
    sample: ["", true],
    omitted: "they are an error",
  },
  freezeEpochs: {
    group: "Network",
    argument: "<n>",
    help: "epochs at the start in which the encoder does not train",
    parse: asNumber,
    sample: ["7", 7],
    omitted: "a tenth of the epochs with --weights, else 0",
  },
  encoderRate: {
    group: "Network",
    argument: "<x>",
    help: "factor of the learning rate in the encoder; one below 1 suits pretrained --weights",
    parse: asNumber,
    sample: ["0.25", 0.25],
  },
  layerDecay: {
    group: "Network",
    argument: "<x>",
    help: "factor of the learning rate from each depth level of the encoder to the one nearer to the image; 1 keeps it",
    parse: asNumber,
    sample: ["0.5", 0.5],
  },
  layerRates: {
    group: "Network",
    argument: "<list>",
    help: "factors of the learning rate by prefix of tensor names, such as encoder.stages.0=0.1,classifier=10; 0 freezes",
    parse: asFactors,
    sample: ["encoder.stem=0, classifier=10", { "encoder.stem": 0, classifier: 10 }],
    omitted: "--encoder-rate and --layer-decay decide",
  },
} satisfies Partial<OptionTable>;
