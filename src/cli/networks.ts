import { type Command, Option } from "commander";
import { ENCODER_NAMES, type EncoderName } from "../model/svanet/config.ts";
import { fitted, fromZoo, ZOO, type ZooEntry } from "../model/zoo.ts";
import { wholeNumber } from "./arguments.ts";

/** The flags of commands that measure networks of the zoo at a size. */
export interface NetworkFlags {
  readonly model?: readonly string[];
  readonly preset?: readonly string[];
  readonly size: number;
  readonly classes: number;
  readonly encoder?: EncoderName;
  readonly width?: number;
}

/** `otherwise` says which networks are measured where none is named, `size` is the image where none is given. */
export function addNetworkOptions(command: Command, { otherwise = "all", size = 512 } = {}): Command {
  return command
    .option(
      "--model <name>",
      `network by its name, repeatable; svanet models lists all (default: ${otherwise})`,
      listed,
    )
    .option("--preset <name>", "the same as --model", listed)
    .option("--size <n>", "side of the image in pixels", wholeNumber(1), size)
    .option("--classes <n>", "classes including the background", wholeNumber(1), 8)
    .addOption(new Option("--encoder <name>", "SvANet's encoder instead of the network's own").choices(ENCODER_NAMES))
    .option(
      "--width <n>",
      "channels where the network is narrowest, which scale every layer (default: its own)",
      wholeNumber(1),
    );
}

const listed = (name: string, before: readonly string[] = []): readonly string[] => [...before, name];

/** The networks the flags ask for, as the flags change them; those of `otherwise` where none is named. */
export function networksFrom(flags: NetworkFlags, otherwise = everyName()): ZooEntry[] {
  return namesFrom(flags, otherwise).map((name) => sized(name, flags));
}

/** The names of the networks the flags ask for; UsageError for one that there is not. */
export function namesFrom({ model = [], preset = [] }: NetworkFlags, otherwise: readonly string[]): readonly string[] {
  const named = [...model, ...preset];
  return named.length === 0 ? otherwise : named.map((name) => fromZoo(name).name);
}

export const everyName = (): readonly string[] => ZOO.map(({ name }) => name);

/** A network as the flags change it; UsageError where it cannot be built so. */
export function sized(name: string, { size, classes, encoder, width }: NetworkFlags): ZooEntry {
  const entry = fromZoo(name);
  const { config } = entry;
  const encoded = encoder !== undefined && config.kind === "svanet" ? { ...config, encoder } : config;
  return { ...entry, config: fitted(encoded, { classes, height: size, width: size, base: width }) };
}
