import { z } from "zod";
import { MOST_CHANNELS } from "../../model/definition.ts";
import { FORMER_CHOICES } from "../../model/svanet/assemformer.ts";
import { ENCODER_NAMES, GUIDE_BLOCKS, LINK_TAPS, LINKS, SV_MODES } from "../../model/svanet/config.ts";
import { GATE_KINDS } from "../../model/svanet/gates.ts";
import { checked, type NetworkConfig } from "../../model/zoo.ts";

/**
 * Bounds of stored configurations: far beyond any network that is trained, and near enough that tracing one, which
 * allocates nothing, is quick. What fits together is `checked`'s matter.
 */
const channels = z.int().min(1).max(65_536);
const side = z.int().min(1).max(65_536);
const few = z.int().min(1).max(64);
const level = z.int().min(1).max(16);
const share = z.number().min(0).lt(1);
const eps = z.number().positive().max(1);
const factor = z.number().positive().max(1024);
const blocks = z.array(z.int().min(1).max(256)).min(1).max(8);
const reaches = z.array(z.int().min(1).max(1024)).min(1).max(16);

const common = {
  classes: z.int().min(1).max(255),
  height: side,
  width: side,
  inChannels: z.int().min(1).max(MOST_CHANNELS).exactOptional(),
};
const backbone = { encoder: z.enum(["res2net", "resnet"]), base: channels, blocks };
const dilated = { base: channels, blocks, auxiliary: z.number().min(0).max(1024) };

const svanet = {
  encoder: z.enum(ENCODER_NAMES),
  base: channels,
  stem: channels,
  neck: z.boolean(),
  neckRatio: factor,
  neckAttention: z.enum(GATE_KINDS),
  guidance: z.boolean(),
  guideBlock: z.enum(GUIDE_BLOCKS),
  guideDrop: share,
  svMode: z.enum(SV_MODES),
  svDivisor: channels,
  svFloor: channels,
  svAverageInTraining: z.boolean(),
  formerBefore: z.boolean(),
  formerAfter: z.boolean(),
  formerPatch: few,
  formerGateBefore: z.enum(GATE_KINDS),
  formerGateAfter: z.enum(GATE_KINDS),
  link: z.enum(LINKS),
  linkTap: z.enum(LINK_TAPS),
  asppChannels: channels,
  asppRates: reaches,
  asppDropout: share,
  formerAttention: z.enum(FORMER_CHOICES.formerAttention),
  formerLocal: z.enum(FORMER_CHOICES.formerLocal),
  formerProjection: z.boolean(),
  formerDepth: z.int().min(0).max(64),
  formerFfn: factor,
  formerHeads: z.int().min(1).max(1024),
  formerActivation: z.enum(FORMER_CHOICES.formerActivation),
  formerNormEps: eps,
  gateDivisor: channels,
  gateFloor: channels,
  mcSizes: z.array(few).min(1).max(16),
  mcShuffle: z.boolean(),
  normEps: eps,
  normMomentum: z.number().min(0).max(1),
};

/** Networks of a program's own are functions: no file holds one. */
type StoredKind = Exclude<NetworkConfig["kind"], "own">;

const CONFIGS: { readonly [K in StoredKind]: z.ZodType<Extract<NetworkConfig, { readonly kind: K }>> } = {
  svanet: z.strictObject({ kind: z.literal("svanet"), ...common, ...svanet }),
  unet: z.strictObject({ kind: z.literal("unet"), ...common, base: channels, depth: level }),
  unetpp: z.strictObject({ kind: z.literal("unetpp"), ...common, base: channels, depth: level, deep: z.boolean() }),
  pranet: z.strictObject({
    kind: z.literal("pranet"),
    ...common,
    ...backbone,
    field: channels,
    deep: channels,
    fine: channels,
    head: z.enum(["maps", "feature"]),
  }),
  hrnet: z.strictObject({
    kind: z.literal("hrnet"),
    ...common,
    base: channels,
    stem: channels,
    planes: channels,
    stage1: few,
    modules: z.array(few).min(1).max(8),
    blocks: few,
    single: z.boolean(),
    momentum: z.number().min(0).max(1),
  }),
  nnunet: z.strictObject({
    kind: z.literal("nnunet"),
    ...common,
    features: z.array(channels).min(2).max(16),
    strides: z
      .array(z.tuple([level, level]))
      .max(16)
      .exactOptional(),
    convs: few,
  }),
  cfanet: z.strictObject({ kind: z.literal("cfanet"), ...common, ...backbone, channels }),
  transnetr: z.strictObject({
    kind: z.literal("transnetr"),
    ...common,
    base: channels,
    blocks,
    channels,
    tokens: z.tuple([channels, channels]),
    hidden: channels,
    heads: z.int().min(1).max(1024),
    layers: few,
    dropout: share,
    over: z.enum(["batch", "rows"]),
    mixInEvaluation: z.boolean(),
    unread: z.boolean(),
  }),
  pspnet: z.strictObject({ kind: z.literal("pspnet"), ...common, ...dilated, bins: reaches, dropout: share }),
  deeplabv3: z.strictObject({
    kind: z.literal("deeplabv3"),
    ...common,
    ...dilated,
    channels,
    rates: reaches,
    dropout: share,
    auxiliaryDropout: share,
  }),
  caranet: z.strictObject({ kind: z.literal("caranet"), ...common, ...backbone, field: channels, reach: few }),
};

const isStored = (kind: string): kind is StoredKind => Object.hasOwn(CONFIGS, kind);

/** A network's configuration as a file holds it. Throws ZodError or UsageError, with what is wrong. */
export function parseNetworkConfig(value: Readonly<Record<string, unknown>>): NetworkConfig {
  // Checkpoints from before there were other networks do not say of which kind theirs is.
  const { kind = "svanet" } = value;
  const given = { ...value, kind };
  const name = String(kind);
  return checked(isStored(name) ? CONFIGS[name].parse(given) : (given as NetworkConfig));
}
