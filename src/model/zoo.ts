import { UsageError } from "../errors.ts";
import { Graph } from "../kernels/trace/graph.ts";
import type { Value } from "../kernels/trace/op.ts";
import { suggestion } from "../nearest.ts";
import { Build, type Mode } from "./build.ts";
import { type Counts, count } from "./count.ts";
import {
  type CommonConfig,
  channelsOf,
  type Fingerprint,
  type NetworkDefinition,
  type NetworkOutput,
  type PatchPlan,
} from "./definition.ts";
import { INPUT } from "./keys.ts";
import { CARANET, type CaranetConfig, caranet } from "./nets/caranet.ts";
import { CFANET, type CfanetConfig, cfanet } from "./nets/cfanet.ts";
import { DEEPLABV3, type Deeplabv3Config, deeplabv3 } from "./nets/deeplabv3.ts";
import { HRNET, type HrnetConfig, hrnet } from "./nets/hrnet.ts";
import { NNUNET, type NnunetConfig, nnunet } from "./nets/nnunet.ts";
import { type OwnConfig, own } from "./nets/own.ts";
import { PRANET, type PranetConfig, pranet } from "./nets/pranet.ts";
import { PSPNET, type PspnetConfig, pspnet } from "./nets/pspnet.ts";
import { TRANSNETR, type TransnetrConfig, transnetr } from "./nets/transnetr.ts";
import { UNET, type UnetConfig, unet } from "./nets/unet.ts";
import { UNETPP, type UnetppConfig, unetpp } from "./nets/unetpp.ts";
import { ParameterTable } from "./parameters.ts";
import { DEFAULT_LOSS, type Head, type LossKind, type LossSettings } from "./supervision.ts";
import { SVANET_PRESETS, type SvanetConfig } from "./svanet/config.ts";
import { svanetDefinition } from "./svanet/network.ts";

/** A configuration of any network; `kind` says of which. */
export type NetworkConfig =
  | SvanetConfig
  | UnetConfig
  | UnetppConfig
  | PranetConfig
  | HrnetConfig
  | NnunetConfig
  | CfanetConfig
  | TransnetrConfig
  | PspnetConfig
  | Deeplabv3Config
  | CaranetConfig
  | OwnConfig;

type Kind = NetworkConfig["kind"];

const DEFINITIONS: { readonly [K in Kind]: NetworkDefinition<Extract<NetworkConfig, { readonly kind: K }>> } = {
  svanet: svanetDefinition,
  unet,
  unetpp,
  pranet,
  hrnet,
  nnunet,
  cfanet,
  transnetr,
  pspnet,
  deeplabv3,
  caranet,
  own,
};

/** The definition that the configuration's own kind names, so that it may be given that configuration. */
function definitionOf({ kind }: CommonConfig): NetworkDefinition<NetworkConfig> {
  if (isKind(kind)) return DEFINITIONS[kind];
  throw new UsageError(`there is no kind of network ${kind}. ${suggestion(kind, Object.keys(DEFINITIONS))}`);
}

const isKind = (kind: string): kind is Kind => Object.hasOwn(DEFINITIONS, kind);

/** A network that can be trained and measured by name. */
export interface ZooEntry {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  readonly config: NetworkConfig;
  /** Its row in the paper's table of costs, if it has one, and why the figures there differ from ours. */
  readonly paper: string;
  readonly difference?: string;
}

const AT_448 = "the paper's MACs are those of a 448x448 image";
const NOT_FITTED = "no standard plan gives the paper's figures";

/** Every network, in the order of lists. */
export const ZOO: readonly ZooEntry[] = [
  {
    name: "svanet",
    summary: "SvANet as the paper measured it",
    config: SVANET_PRESETS.svanet,
    paper: "SvANet",
  },
  {
    name: "svanet-text",
    summary: "SvANet as the paper's text describes it",
    config: SVANET_PRESETS["svanet-text"],
    paper: "SvANet",
    difference: "the paper counted another variant: svanet",
  },
  {
    name: "svanet-release",
    summary: "SvANet as its authors published it",
    config: SVANET_PRESETS["svanet-release"],
    paper: "SvANet",
    difference: "the paper counted another variant: svanet",
  },
  {
    name: "unet",
    summary: "U-Net with batch norm and up-convolutions",
    config: UNET,
    paper: "UNet",
    difference: AT_448,
  },
  {
    name: "unetpp",
    summary: "UNet++ with four supervised heads",
    config: UNETPP,
    paper: "UNet++",
    difference: AT_448,
  },
  {
    name: "unetpp-single",
    summary: "UNet++ with one head",
    config: { ...UNETPP, deep: false },
    paper: "UNet++",
    difference: "the paper counted four heads, on a 448x448 image",
  },
  {
    name: "pranet",
    summary: "PraNet on Res2Net-50, as published, a map for every class",
    config: PRANET,
    paper: "PraNet",
    difference: "the paper counted a ResNet-50 encoder: pranet-resnet50",
  },
  {
    name: "pranet-resnet50",
    summary: "PraNet on ResNet-50 with a classifier on its features",
    config: { ...PRANET, encoder: "resnet", head: "feature" },
    paper: "PraNet",
  },
  {
    name: "hrnet",
    summary: "HRNetV2-W48 for segmentation",
    config: HRNET,
    paper: "HRNet",
    difference: "the paper's parameters are those of hrnet-single; its MACs fit neither at 448 nor at 512",
  },
  {
    name: "hrnet-single",
    summary: "HRNet-W48 with one output, as for poses",
    config: { ...HRNET, single: true },
    paper: "HRNet",
    difference: "the paper's MACs fit neither at 448 nor at 512",
  },
  {
    name: "nnunet",
    summary: "nnU-Net's plain 2-D U-Net by its planning rule",
    config: NNUNET,
    paper: "nnUNet",
    difference: NOT_FITTED,
  },
  {
    name: "cfanet",
    summary: "CFANet on Res2Net-50, as published, without its unused layers",
    config: CFANET,
    paper: "CFANet",
    difference: "the paper counted a ResNet-50 encoder, unused layers and a strided stem",
  },
  {
    name: "cfanet-resnet50",
    summary: "CFANet on ResNet-50",
    config: { ...CFANET, encoder: "resnet" },
    paper: "CFANet",
    difference: "the paper counted eight unused layers and a strided stem as well",
  },
  {
    name: "transnetr",
    summary: "TransNetR, what its output depends on",
    config: TRANSNETR,
    paper: "TransNetR",
    difference: "the paper counted an encoder stage that nobody reads: transnetr-full",
  },
  {
    name: "transnetr-full",
    summary: "TransNetR with the encoder stage that nobody reads",
    config: { ...TRANSNETR, unread: true },
    paper: "TransNetR",
  },
  {
    name: "pspnet",
    summary: "PSPNet on ResNet-50 with an auxiliary classifier",
    config: PSPNET,
    paper: "PSPNet",
  },
  {
    name: "deeplabv3",
    summary: "DeepLabV3 on ResNet-50, torchvision's",
    config: DEEPLABV3,
    paper: "DeepLabV3",
  },
  {
    name: "caranet",
    summary: "CaraNet on Res2Net-50, from the publication, not checked against its public code",
    config: CARANET,
    paper: "CaraNet",
  },
];

/** The entry of that name; UsageError with the nearest one when there is none. */
export function fromZoo(name: string): ZooEntry {
  const names = ZOO.map((entry) => entry.name);
  const found = ZOO.find((entry) => entry.name === name);
  if (!found) throw new UsageError(`there is no network ${name}. ${suggestion(name, names)}`);
  return found;
}

export interface Sizing {
  readonly classes: number;
  readonly height: number;
  readonly width: number;
  /** Channels where the network is narrowest; its own when left out. */
  readonly base?: number | undefined;
  /** Channels of the image; its own (3) when left out. */
  readonly inChannels?: number | undefined;
}

/** A network for a task: its classes, its size, its image's channels and, if asked for, its width. UsageError where that cannot be. */
export function fitted(config: NetworkConfig, { base, inChannels, ...sizes }: Sizing): NetworkConfig {
  const channels = inChannels ?? channelsOf(config);
  const sized = { ...config, ...sizes, ...(channels === 3 ? {} : { inChannels: channels }) };
  const definition = definitionOf(sized);
  const own = base ?? definition.planWidth?.(sized);
  return checked(own === undefined ? sized : definition.scaled(sized, own));
}

/** The configuration itself; UsageError with a sentence when no network can be built from it. */
export function checked(config: NetworkConfig): NetworkConfig {
  return definitionOf(config).checked(config);
}

/** The patch and batch that the network's publication chooses for a data set; undefined where it does not. */
export function patchPlan(config: NetworkConfig, fingerprint: Fingerprint): PatchPlan | undefined {
  return definitionOf(config).patchPlan?.(fingerprint);
}

/** Where the loss a network was published with differs from cross-entropy. */
export function publishedLoss(config: NetworkConfig): Partial<LossSettings> {
  return definitionOf(config).loss ?? {};
}

export interface Traced extends NetworkOutput {
  readonly build: Build;
  readonly image: Value;
}

/** Traces a network on `batch` images of its configured size (or another). The image is the input `image`. */
export function traceNetwork(
  config: NetworkConfig,
  options: {
    readonly mode: Mode;
    readonly batch: number;
    readonly parameters?: Build["parameters"];
    readonly height?: number;
    readonly width?: number;
  },
): Traced {
  const graph = new Graph();
  const { mode, batch, height = config.height, width = config.width } = options;
  const definition = definitionOf(config);
  const { parameters = new ParameterTable(definition.levels(config)) } = options;
  const build = new Build({ graph, mode, parameters });
  const image = graph.input(INPUT.image, [batch, height, width, channelsOf(config)]);
  return { build, image, ...definition.trace(build, config, image) };
}

/** What a network is trained by: its outputs, the main one first, with their own weights, and its published loss. */
export interface Supervision {
  readonly outputs: readonly Pick<Head, "name" | "kind" | "weight">[];
  readonly publishedLoss: LossKind;
}

export function supervision(config: NetworkConfig): Supervision {
  const { heads } = traceNetwork(config, { mode: "train", batch: 2 });
  const outputs = heads.map(({ name, kind, weight }) => ({ name, kind, weight }));
  return { outputs, publishedLoss: publishedLoss(config).kind ?? DEFAULT_LOSS.kind };
}

export interface Description extends Counts {
  /** As in the paper's tables. */
  readonly name: string;
  readonly preset: string;
}

/** What a list of networks shows: the costs of one image at the configured size. */
export function describe(preset: string, config: NetworkConfig = fromZoo(preset).config): Description {
  const { build } = traceNetwork(config, { mode: "eval", batch: 1 });
  return { name: fromZoo(preset).paper, preset, ...count(build.graph, build.parameters) };
}
