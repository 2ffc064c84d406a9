import { UsageError } from "../../errors.ts";
import { suggestion } from "../../nearest.ts";
import { requireChannels } from "../definition.ts";
import { type AssemFormerSettings, FORMER_CHOICES } from "./assemformer.ts";
import { GATE_KINDS, type GateKind } from "./gates.ts";

/** ResNets: the kind of their blocks, and how many of them each of the four stages has. */
export const ENCODERS = {
  resnet18: { kind: "basic", depths: [2, 2, 2, 2] },
  resnet34: { kind: "basic", depths: [3, 4, 6, 3] },
  resnet50: { kind: "bottleneck", depths: [3, 4, 6, 3] },
  mini: { kind: "basic", depths: [1, 1, 1, 1] },
  "mini-bottleneck": { kind: "bottleneck", depths: [1, 1, 1, 1] },
} as const satisfies Record<string, { readonly kind: "basic" | "bottleneck"; readonly depths: readonly number[] }>;

export type EncoderName = keyof typeof ENCODERS;

/** The names of {@link ENCODERS}, as flags and files give them. */
export const ENCODER_NAMES = Object.keys(ENCODERS) as EncoderName[];

/** Maps that scale-variant attention looks at. */
export const SV_MODES = ["none", "scale", "source", "mean", "max"] as const;
type SvMode = (typeof SV_MODES)[number];

/** How the decoder joins the branch of its depth. */
export const LINKS = ["none", "add", "concat"] as const;
type LinkKind = (typeof LINKS)[number];

/** Blocks of the guidance: a strided 3x3 alone, or with a 1x1 behind it. */
export const GUIDE_BLOCKS = ["3x3", "3x3+1x1"] as const;
/** Where the next link starts: behind this one's AssemFormer, or in front of it. */
export const LINK_TAPS = ["after", "before"] as const;

/** Everything that decides which SvANet is built. `height` and `width` are the sides it is trained at. */
export interface SvanetConfig extends AssemFormerSettings {
  readonly kind: "svanet";
  readonly classes: number;
  readonly height: number;
  readonly width: number;
  /** Channels of the image; 3 where left out. */
  readonly inChannels?: number;
  readonly encoder: EncoderName;
  /** Planes of the first residual stage. */
  readonly base: number;
  /** Channels of the 7x7 stem. */
  readonly stem: number;
  readonly neck: boolean;
  /** Hidden over outer channels of the MCBottleneck. */
  readonly neckRatio: number;
  readonly neckAttention: GateKind;
  readonly guidance: boolean;
  readonly guideBlock: (typeof GUIDE_BLOCKS)[number];
  readonly guideDrop: number;
  readonly svMode: SvMode;
  readonly svDivisor: number;
  readonly svFloor: number;
  /** Whether `mean` and `max` average over the maps in training too. */
  readonly svAverageInTraining: boolean;
  readonly formerBefore: boolean;
  readonly formerAfter: boolean;
  readonly formerPatch: number;
  readonly formerGateBefore: GateKind;
  readonly formerGateAfter: GateKind;
  readonly link: LinkKind;
  readonly linkTap: (typeof LINK_TAPS)[number];
  readonly asppChannels: number;
  readonly asppRates: readonly number[];
  readonly asppDropout: number;
}

/** The network of the authors' public code. */
const RELEASE: SvanetConfig = {
  kind: "svanet",
  classes: 8,
  height: 512,
  width: 512,
  encoder: "resnet50",
  base: 64,
  stem: 64,
  neck: true,
  neckRatio: 2,
  neckAttention: "mc",
  mcSizes: [1, 2, 3],
  mcShuffle: true,
  gateDivisor: 4,
  gateFloor: 32,
  guidance: true,
  guideBlock: "3x3+1x1",
  guideDrop: 0.2,
  svMode: "scale",
  svDivisor: 4,
  svFloor: 4,
  svAverageInTraining: false,
  formerBefore: true,
  formerAfter: true,
  formerAttention: "separable",
  formerLocal: "dense",
  formerProjection: false,
  formerDepth: 2,
  formerPatch: 2,
  formerFfn: 2,
  formerHeads: 4,
  formerActivation: "silu",
  formerGateBefore: "none",
  formerGateAfter: "none",
  link: "concat",
  linkTap: "after",
  asppChannels: 512,
  asppRates: [12, 24, 36],
  asppDropout: 0.1,
  normEps: 1e-3,
  normMomentum: 0.1,
  formerNormEps: 1e-5,
};

export const SVANET_PRESETS = {
  /** The network the paper measured: its parameter and operation counts come out exactly. */
  svanet: { ...RELEASE, formerLocal: "depthwise" },
  /** The paper's text, except where docs/networks.md says that it is not followed. */
  "svanet-text": {
    ...RELEASE,
    neckRatio: 0.5,
    guideBlock: "3x3",
    formerAttention: "mhsa",
    formerProjection: true,
    formerActivation: "gelu",
    svAverageInTraining: true,
  },
  /** The authors' public code. */
  "svanet-release": RELEASE,
} as const satisfies Record<string, SvanetConfig>;

export type SvanetPreset = keyof typeof SVANET_PRESETS;

/** The names of {@link SVANET_PRESETS}, the default first. */
export const PRESET_NAMES = Object.keys(SVANET_PRESETS) as SvanetPreset[];

/** The widths that go with `base` planes: stem alike, context head eight times as wide. */
export function scaled(config: SvanetConfig, base: number): SvanetConfig {
  return { ...config, base, stem: base, asppChannels: 8 * base };
}

/** Channels of the encoder's five outputs. */
function encoderWidths({ encoder, base, stem }: Pick<SvanetConfig, "encoder" | "base" | "stem">): number[] {
  const growth = ENCODERS[encoder].kind === "basic" ? 1 : 4;
  return [stem, ...ENCODERS[encoder].depths.map((_, i) => base * 2 ** i * growth)];
}

/** The name of a setting in this configuration, from its snake_case form. */
export const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The configuration in the snake_case form of golden files; every field must be there and no other. */
export function configFromOracle(json: unknown): SvanetConfig {
  if (typeof json !== "object" || json === null) throw new UsageError("the configuration is no object");
  const given = new Map(Object.entries(json));
  const { kind, ...fields } = RELEASE;
  const names = Object.keys(fields).map(snake);
  for (const name of given.keys()) {
    if (!names.includes(name)) throw new UsageError(`there is no setting ${name}. ${suggestion(name, names)}`);
  }
  const read = Object.entries(fields).map(([key, example]) => {
    const value = given.get(snake(key));
    if (typeof value !== typeof example || Array.isArray(value) !== Array.isArray(example)) {
      throw new UsageError(`${snake(key)} is ${JSON.stringify(value)}; it should look like ${JSON.stringify(example)}`);
    }
    return [key, key === "encoder" && value === "mini-basic" ? "mini" : value];
  });
  return checked({ kind, ...Object.fromEntries(read) } as SvanetConfig);
}

/** The configuration itself; UsageError with a sentence when no network can be built from it. */
export function checked(config: SvanetConfig): SvanetConfig {
  checkChoices(config);
  checkNumbers(config);
  checkWidths(config);
  checkHeads(config);
  return config;
}

/** The named choices of every field that has some; their types stand on the same lists. */
const CHOICES = {
  encoder: ENCODER_NAMES,
  neckAttention: GATE_KINDS,
  guideBlock: GUIDE_BLOCKS,
  svMode: SV_MODES,
  ...FORMER_CHOICES,
  formerGateBefore: GATE_KINDS,
  formerGateAfter: GATE_KINDS,
  link: LINKS,
  linkTap: LINK_TAPS,
} as const satisfies Partial<Record<keyof SvanetConfig, readonly string[]>>;

function checkChoices(config: SvanetConfig): void {
  for (const [key, options] of Object.entries<readonly string[]>(CHOICES)) {
    const value = config[key as keyof typeof CHOICES];
    if (options.includes(value)) continue;
    throw new UsageError(`${key} is ${JSON.stringify(value)}. ${suggestion(String(value), options)}`);
  }
}

function checkNumbers(config: SvanetConfig): void {
  requireChannels(config);
  checkSides(config);
  for (const key of ["classes", "base", "stem", "asppChannels", "formerHeads", "svDivisor", "gateDivisor"] as const) {
    if (Number.isInteger(config[key]) && config[key] >= 1) continue;
    throw new UsageError(`${key} is ${config[key]}; it must be a whole number of at least 1`);
  }
  for (const key of ["guideDrop", "asppDropout"] as const) {
    if (config[key] >= 0 && config[key] < 1) continue;
    throw new UsageError(`${key} is ${config[key]}; it must be at least 0 and below 1`);
  }
  if (config.mcSizes.length === 0 || !config.mcSizes.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new UsageError(`mcSizes is ${config.mcSizes.join(", ")}; give whole numbers of at least 1, such as 1, 2, 3`);
  }
  if (config.formerPatch !== 2) throw new UsageError(`formerPatch is ${config.formerPatch}; only 2 is supported`);
}

function checkSides(config: SvanetConfig): void {
  for (const key of ["height", "width"] as const) {
    const side = config[key];
    if (Number.isInteger(side) && side > 0 && side % 32 === 0) continue;
    const below = Math.max(32, Math.floor(side / 32) * 32);
    throw new UsageError(`${key} is ${side}; it must be a multiple of 32, such as ${below} or ${below + 32}`);
  }
}

/** AssemFormer halves the channels of a branch, and a decoder step quarters those of the map below it. */
function checkWidths(config: SvanetConfig): void {
  const widths = encoderWidths(config);
  const odd = widths.slice(0, 4).find((width) => width % 2 !== 0);
  const thin = widths.slice(1).find((width) => width < 4);
  if (odd === undefined && thin === undefined) return;
  throw new UsageError(
    `the encoder's outputs have ${widths.join(", ")} channels; the first four must be even and the last four at least ` +
      "4: use an even --width of at least 4",
  );
}

function checkHeads(config: SvanetConfig): void {
  const { formerHeads: heads, formerAttention, formerBefore, formerAfter, link } = config;
  const used = formerBefore || (formerAfter && link !== "none");
  if (formerAttention !== "mhsa" || !used) return;
  const widths = encoderWidths(config).slice(0, 4);
  const bad = widths.find((width) => (width / 2) % heads !== 0);
  if (bad === undefined) return;
  const divides = (count: number) => widths.every((width) => (width / 2) % count === 0);
  const fewer = Array.from({ length: heads }, (_, i) => heads - i).find(divides) ?? 1;
  const wider = Math.ceil(Math.max(config.base, 1) / (2 * heads)) * 2 * heads;
  throw new UsageError(
    `attention works on ${bad / 2} channels, which ${heads} heads do not divide; use --width ${wider} or, where a command has it, --former-heads ${fewer}`,
  );
}
