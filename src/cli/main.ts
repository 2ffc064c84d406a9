#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { SvanetError, UsageError } from "../errors.ts";
import { suggestion } from "../nearest.ts";
import { packageInfo } from "../package-info.ts";
import { applyDriverRecord } from "../platform/node/driver-environment.ts";
import { visible } from "../visible.ts";
import { COMMANDS } from "./commands.ts";
import { noteNow } from "./print.ts";

async function main(args: readonly string[]): Promise<void> {
  const program = new Command("svanet")
    .description("Train and run SvANet, a network that segments small medical objects, on any GPU.")
    .version(packageInfo().version)
    .option("--debug", "show the stack of an error")
    .exitOverride()
    .configureOutput({
      // What was typed may come from a script that took it from elsewhere.
      outputError: (message, write) => write(visible(`svanet: ${message.replace(/^error: /, "")}`)),
    });

  // Only the command that was named is loaded: `--help` must not open a GPU, nor wait for one's libraries.
  const named = args.find((word) => !word.startsWith("-") && word !== "help");
  const names = COMMANDS.map(({ name }) => name);
  if (named !== undefined && !names.includes(named)) {
    throw new UsageError(`unknown command ${named}. ${suggestion(named, names)}`);
  }
  for (const entry of COMMANDS) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name !== named) continue;
    if (entry.gpu) applyDriverRecord();
    const { register } = await entry.load();
    register(command);
  }
  if (args.length === 0) program.help({ error: true });
  await program.parseAsync(args, { from: "user" });
}

/** The one place where a failure becomes a message and an exit code. */
function report(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (error instanceof SvanetError) {
    // A line feed in somebody's file name must not begin a line that reads as one of ours.
    noteNow(debug ? stack : `svanet: ${error.message.replace(/\n(?! )/g, "\n  ")}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  noteNow(
    debug ? stack : `svanet: ${message}\nThis is a bug in svanet. Run the command again with --debug and report it.`,
  );
  return 1;
}

// `svanet models | head` closes our output early; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const args = process.argv.slice(2);
try {
  await main(args);
} catch (error) {
  process.exitCode = report(error, args.includes("--debug"));
}
