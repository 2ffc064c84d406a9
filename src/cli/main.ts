#!/usr/bin/env node
import { UsageError } from "../errors.ts";
import { suggestion } from "../nearest.ts";
import { applyDriverRecord } from "../platform/node/driver-environment.ts";
import { visible } from "../visible.ts";
import { COMMANDS } from "./commands.ts";
import { addExamples } from "./examples.ts";
import { endingOf } from "./failure.ts";
import { foreignOption } from "./foreign-words.ts";
import { noteNow } from "./print.ts";
import { outliveHangUp } from "./signals.ts";
import { surviveReaders } from "./streams.ts";
import { emptyProgram, wholeProgram } from "./whole-program.ts";

async function main(args: readonly string[]): Promise<void> {
  const program = emptyProgram()
    .exitOverride()
    .configureOutput({
      // What was typed may come from a script that took it from elsewhere.
      outputError: (message, write) =>
        write(visible(`svanet: ${foreignOption(message) ?? message.replace(/^error: /, "")}`)),
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
    if (entry.gpu) {
      applyDriverRecord();
      const { openQuietly } = await import("../platform/node/open-device.ts");
      openQuietly();
    }
    const { register } = await entry.load();
    register(command, wholeProgram);
    addExamples(command, entry.name);
  }
  if (args.length === 0) program.help({ error: true });
  await program.parseAsync(args, { from: "user" });
}

surviveReaders();
outliveHangUp();
const args = process.argv.slice(2);
try {
  await main(args);
} catch (error) {
  const { message, exitCode } = endingOf(error, args.includes("--debug"));
  if (message !== "") noteNow(message);
  process.exitCode = exitCode;
}
