import { Command } from "commander";
import { packageInfo } from "../package-info.ts";
import { COMMANDS } from "./commands.ts";
import { addExamples } from "./examples.ts";

/** `svanet` with the options that all commands have, and no command yet. */
export function emptyProgram(): Command {
  return new Command("svanet")
    .description("Train and run SvANet, a network that segments small medical objects, on any GPU.")
    .version(packageInfo().version)
    .option("--debug", "show the stack of an error");
}

/** `svanet` with every command, option and example: what completion and the reference are made of. Opens no GPU. */
export async function wholeProgram(): Promise<Command> {
  const program = emptyProgram();
  for (const { name, summary, load } of COMMANDS) {
    const command = program.command(name).description(summary);
    (await load()).register(command, wholeProgram);
    addExamples(command, name);
  }
  return program;
}

/** The commands that do something, below a command or itself, each with its words behind `svanet`. */
export function leavesOf(command: Command, path = ""): (readonly [path: string, command: Command])[] {
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((child) => leavesOf(child, `${path} ${child.name()}`.trim()));
}
