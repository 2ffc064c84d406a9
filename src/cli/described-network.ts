import type { Command } from "commander";
import { defaultColours, pixelStatistics } from "../data/dataset/check-dataset.ts";
import { UsageError } from "../errors.ts";
import { IMAGENET_STATISTICS } from "../experiment/checkpoint/import-checkpoint.ts";
import { resolveConfig, type TrainConfig, type TrainField } from "../experiment/settings/config.ts";
import { readConfigFile } from "../experiment/settings/config-file.ts";
import { networkConfig, networkName } from "../experiment/settings/recipe.ts";
import { SVANET_FIELDS } from "../experiment/settings/svanet-parts.ts";
import type { CheckpointFacts } from "../inference/checkpoint/facts.ts";
import { classesArgument, deviationArgument, type Triple, tripleArgument } from "./arguments.ts";
import { addTrainOptions } from "./options.ts";
import { openChecked } from "./session.ts";

/** What of a training configuration decides which network is built. */
const NETWORK_FIELDS = [
  "model",
  "preset",
  ...SVANET_FIELDS,
  "width",
  "ablation",
  "size",
  "partial",
] as const satisfies readonly TrainField[];

/** Flags that say of which network a file of tensors is, as {@link addDescription} declares them. */
export interface DescriptionFlags extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly data?: string;
  readonly classes?: readonly string[];
  readonly mean?: Triple;
  readonly std?: Triple;
}

export function addDescription(command: Command): Command {
  return addTrainOptions(command, NETWORK_FIELDS, { model: "keep names and tensors as they are", preset: "svanet" })
    .option(
      "--classes <n|names>",
      "classes with the background: their number, or names such as background,polyp",
      classesArgument,
    )
    .option("--data <folder>", "dataset folder the weights were trained on: gives classes, mean and deviation")
    .option(
      "--mean <r,g,b>",
      "what images are normalised with, of pixels in 0 to 1 (default: ImageNet's; 0,0,0 for none)",
      tripleArgument,
    )
    .option("--std <r,g,b>", "deviation likewise (default: ImageNet's; 1,1,1 for none)", deviationArgument);
}

/** A network by its flags, with the facts a checkpoint states. */
interface Described {
  readonly facts: Omit<CheckpointFacts, "progress">;
  readonly partial: boolean;
  /** A sentence on the normalisation, where no flag decides it. */
  readonly assumption: string | undefined;
}

/** The network the flags describe; undefined when they describe none. */
export async function describedFacts(flags: DescriptionFlags): Promise<Described | undefined> {
  const given = Object.keys(flags).filter((flag) => DESCRIBING.has(flag));
  if (given.length === 0) return undefined;
  if (!given.some((flag) => ["model", "preset", "config"].includes(flag))) {
    throw new UsageError(
      `--${given[0]} describes a network, but not which: add --model <name> (svanet models lists them)`,
    );
  }
  const config = configOf(flags);
  const data = await dataFacts(flags);
  const { channels } = data;
  const network = networkConfig(config, data.classes.length, channels?.names.length);
  const { mean = data.mean, std = data.std } = flags;
  return {
    facts: { preset: networkName(config), config: network, ...data, mean, std },
    partial: config.partial,
    assumption: flags.mean === undefined && flags.data === undefined ? assumedFor(network.kind) : undefined,
  };
}

const DESCRIBING = new Set<string>([...NETWORK_FIELDS, "config", "classes", "data", "mean", "std"]);

function configOf(flags: DescriptionFlags): TrainConfig {
  const chosen = Object.fromEntries(NETWORK_FIELDS.map((field) => [field, flags[field]]));
  const file = flags.config === undefined ? undefined : readConfigFile(flags.config);
  return resolveConfig({ ...chosen, data: "-", out: "-" }, file);
}

/** Classes, colours and normalisation: of the data set, where one is named, else of the flags. */
async function dataFacts({ data, classes: named, mean, std }: DescriptionFlags) {
  if ((mean === undefined) !== (std === undefined)) throw new UsageError("--mean and --std go together: give both");
  if (data !== undefined) {
    const dataset = await openChecked(data, ["train"], named ? { classes: named } : {});
    const { classes: found, colours, window, channels } = dataset;
    return {
      ...pixelStatistics(dataset),
      classes: found,
      colours,
      ...(channels ? { channels } : {}),
      ...(window ? { window } : {}),
    };
  }
  if (named === undefined)
    throw new UsageError("--classes is missing: how many the weights tell apart, or their names");
  return { ...IMAGENET_STATISTICS, classes: named, colours: defaultColours(named.length) };
}

function assumedFor(kind: string): string {
  const { mean, std } = IMAGENET_STATISTICS;
  const own =
    kind === "svanet" ? "; the authors' SvANet has its training set's: --data <folder>, or --mean and --std" : "";
  return `images are normalised with ImageNet's mean ${mean.join(",")} and deviation ${std.join(",")}${own}`;
}
