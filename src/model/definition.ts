import { UsageError } from "../errors.ts";
import type { Value } from "../kernels/trace/op.ts";
import type { Build } from "./build.ts";
import type { EncoderLevels } from "./parameters.ts";
import type { Head, LossSettings } from "./supervision.ts";

/** What every network's configuration has. `height` and `width` are the sides it is trained at. */
export interface CommonConfig {
  readonly kind: string;
  readonly classes: number;
  readonly height: number;
  readonly width: number;
  /** Channels of the image, 1 to {@link MOST_CHANNELS}; 3 where left out, as all stored configurations from before did. */
  readonly inChannels?: number;
}

/** Channels that an image may have. */
export const MOST_CHANNELS = 8;

/** Channels of a network's image. */
export const channelsOf = ({ inChannels = 3 }: { readonly inChannels?: number | undefined }): number => inChannels;

export interface NetworkOutput {
  /** `[n, h, w, classes]`, at the size of the image. */
  readonly logits: Value;
  /** All outputs of training, the main one first. */
  readonly heads: readonly Head[];
  /** Intermediates by name, for checks. */
  readonly intermediates: ReadonlyMap<string, Value>;
}

/** What a data set is like, for a {@link PatchPlan}. */
export interface Fingerprint {
  /** Medians of the training images' sides, in pixels. */
  readonly height: number;
  readonly width: number;
  /** Training images. */
  readonly images: number;
  /** With the background. */
  readonly classes: number;
}

export interface PatchPlan {
  /** The patch, in pixels. */
  readonly height: number;
  readonly width: number;
  readonly batch: number;
}

/** A family of networks: how it is built, what it can be asked for, and what it is published to be trained with. */
export interface NetworkDefinition<Config extends CommonConfig> {
  trace(build: Build, config: Config, image: Value): NetworkOutput;
  /** The configuration itself; UsageError with a sentence when no network can be built from it. */
  checked(config: Config): Config;
  /** The same network with `width` channels where it is narrowest. */
  scaled(config: Config, width: number): Config;
  /** The patch and batch to train with on a data set, where the publication says how to choose them. */
  patchPlan?(fingerprint: Fingerprint): PatchPlan;
  /** The width to plan the network anew with for its size, where its depth depends on that. */
  planWidth?(config: Config): number;
  /** What its encoder is, by depth: prefixes of parameter names. */
  levels(config: Config): EncoderLevels;
  /** Where the published loss differs from cross-entropy on every head, and how its soft Dice is taken. */
  readonly loss?: Partial<LossSettings>;
}

/** A map of all classes at the image's size. */
export const classHead = (name: string, logits: Value, weight = 1): Head => ({
  kind: "classes",
  name,
  logits,
  weight,
  shrink: 1,
});

/** UsageError unless the named numbers are whole and at least 1. */
export function requireWhole(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new UsageError(`${name} is ${value}; it must be a whole number of at least 1`);
  }
}

/** UsageError unless the fields every network has make sense. Sides are padded, so any size will do. */
export function requireCommon({ classes, height, width, ...config }: CommonConfig): void {
  requireWhole({ classes, height, width });
  requireChannels(config);
}

/** UsageError unless the image has 1 to {@link MOST_CHANNELS} channels. */
export function requireChannels(config: Pick<CommonConfig, "inChannels">): void {
  const channels = channelsOf(config);
  if (Number.isInteger(channels) && channels >= 1 && channels <= MOST_CHANNELS) return;
  throw new UsageError(`an image has ${channels} channels; networks take 1 to ${MOST_CHANNELS}`);
}
