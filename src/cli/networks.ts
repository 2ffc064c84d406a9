import { type Command, Option } from "commander";
import { checked, ENCODERS, type EncoderName, type SvanetConfig, scaled } from "../model/svanet/config.ts";
import { fromZoo, ZOO, type ZooEntry } from "../model/zoo.ts";
import { numberArgument } from "./options.ts";

/** The flags of commands that measure networks of the zoo at a size. */
export interface NetworkFlags {
  readonly model?: string;
  readonly preset?: string;
  readonly size: number;
  readonly classes: number;
  readonly encoder?: EncoderName;
  readonly width?: number;
}

export function addNetworkOptions(command: Command): Command {
  return command
    .option("--model <name>", "network of the zoo (default: all)")
    .option("--preset <name>", "the same as --model")
    .option("--size <n>", "side of the image in pixels", numberArgument, 512)
    .option("--classes <n>", "classes including the background", numberArgument, 8)
    .addOption(new Option("--encoder <name>", "encoder instead of the network's own").choices(Object.keys(ENCODERS)))
    .option("--width <n>", "base width that scales every layer; the paper's is 64", numberArgument);
}

/** The networks the flags ask for, as the flags change them. */
export function networksFrom({ model, preset, size, classes, encoder, width }: NetworkFlags): ZooEntry[] {
  const named = model ?? preset;
  return (named === undefined ? ZOO : [fromZoo(named)]).map((entry) => {
    const sized: SvanetConfig = { ...entry.config, height: size, width: size, classes };
    const encoded = encoder === undefined ? sized : { ...sized, encoder };
    return { ...entry, config: checked(width === undefined ? encoded : scaled(encoded, width)) };
  });
}
