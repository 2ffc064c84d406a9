import { z } from "zod";
import { type ChannelPlan, channelPlan } from "../../data/channels.ts";
import type { Window } from "../../data/formats/window.ts";
import { CheckpointError } from "../../errors.ts";
import { channelsOf } from "../../model/definition.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import { parseNetworkConfig } from "./network-schema.ts";

/** What travels with the weights: enough to evaluate and predict without the training data or command line. */
export interface CheckpointFacts {
  readonly preset: string;
  readonly config: NetworkConfig;
  /** Class names by label, background first. */
  readonly classes: readonly string[];
  readonly colours: readonly (readonly [number, number, number])[];
  /** Per-channel mean and standard deviation of pixels in [0, 1] that images are normalised with. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** What the network's channels are, where they are not red, green and blue. */
  readonly channels?: ChannelPlan;
  /** What the training scans were shown through, in their own values (CT: Hounsfield units); where one is known. */
  readonly window?: Window;
  /**
   * `native`: trained on patches at the images' own resolution; a picture is predicted by overlapping tiles of the trained size,
   * never stretched. Left out: images are stretched whole to the trained size.
   */
  readonly resolution?: "native";
  /**
   * The network has one output more than classes, the last: pixels of an object that lie within so many pixels of another one.
   * Left out: there is none.
   */
  readonly borders?: number;
  /** Where training stands: steps done, and the recipe a resumed run must share. */
  readonly progress: Progress;
}

export interface Progress {
  readonly step: number;
  readonly epoch: number;
  readonly stepInEpoch: number;
  /** Best score of the validation split so far, by what the recipe names, percent; null before the first validation. */
  readonly best: number | null;
  readonly bestEpoch: number | null;
  /** The recipe without paths, as text: two runs with equal recipes and data are the same run. Empty: never trained here. */
  readonly recipe: string;
}

const count = z.int().min(0);
const byte = z.int().min(0).max(255);
const level = z.number().min(-1e6).max(1e6);
const spread = z.number().positive().max(1e6);

const progress = z.strictObject({
  step: count,
  epoch: count,
  stepInEpoch: count,
  best: z.number().min(0).max(100).nullable(),
  bestEpoch: count.nullable(),
  recipe: z.string().refine(isRecipe, "is no list of settings"),
});

const factsSchema = z
  .strictObject({
    preset: z.string().min(1).max(200),
    config: z.record(z.string(), z.unknown()).transform((value, context): NetworkConfig => {
      try {
        return parseNetworkConfig(value);
      } catch (error) {
        context.addIssue({ code: "custom", message: reasonOf(error) });
        return z.NEVER;
      }
    }),
    classes: z.array(z.string()).min(1).max(255),
    colours: z.array(z.tuple([byte, byte, byte])).max(255),
    mean: z.array(level),
    std: z.array(spread),
    channels: channelPlan.exactOptional(),
    window: z
      .strictObject({ low: z.number(), high: z.number() })
      .refine(({ low, high }) => high > low, "high must lie above low")
      .exactOptional(),
    resolution: z.literal("native").exactOptional(),
    borders: z.int().min(1).max(16).exactOptional(),
    progress,
  })
  .refine(
    ({ config, classes, borders }) => config.classes === classes.length + (borders === undefined ? 0 : 1),
    "the number of class names is not the network's number of classes",
  )
  .refine(
    ({ config, mean, std, channels }) =>
      [mean, std, channels?.names ?? mean].every(({ length }) => length === channelsOf(config)),
    "the numbers of means, deviations and channel names are not the network's number of channels",
  );

/**
 * Reads the facts of a checkpoint from its metadata, every value within bounds, so that nothing is made of what nobody
 * can have trained. Throws CheckpointError naming the file and what is wrong.
 */
export function parseFacts(path: string, text: string | undefined): CheckpointFacts {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch (error) {
    throw new CheckpointError(`${path} does not say which network it holds: ${reasonOf(error)}`);
  }
  const result = factsSchema.safeParse(value);
  if (result.success) return result.data;
  throw new CheckpointError(`${path} does not say which network it holds: ${reasonOf(result.error)}`);
}

function isRecipe(text: string): boolean {
  if (text === "") return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** One clause on the first things that are wrong. */
function reasonOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return error instanceof Error ? error.message : String(error);
  const issues = error.issues.slice(0, 3).map(({ path, message }) => `${path.join(".")} ${message}`.trim());
  return issues.join("; ");
}
