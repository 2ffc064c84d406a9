import { Argument, type Command } from "commander";
import { completionScript, SHELLS, type Shell } from "../completion-scripts.ts";
import { completionPlaces } from "../completion-words.ts";
import { printLine } from "../print.ts";

/** `svanet completion`: a shell's completion of commands, options and their values, made of the tables that parse them. */
export function register(command: Command, whole: () => Promise<Command>): void {
  command
    .addArgument(new Argument("<shell>", "whose script to print").choices(SHELLS))
    .action(async (shell: Shell) => printLine(completionScript(shell, completionPlaces(await whole())).trimEnd()));
}
