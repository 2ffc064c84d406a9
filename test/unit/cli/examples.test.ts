import type { Command } from "commander";
import { expect, test } from "vitest";
import { EXAMPLES } from "../../../src/cli/examples.ts";
import { trainConfigFrom } from "../../../src/cli/options.ts";
import { leavesOf, wholeProgram } from "../../../src/cli/whole-program.ts";

/** The words of an example as a shell gives them to a program. */
const wordsOf = (line: string): string[] =>
  line
    .replace(/ > .*$/, "")
    .split(" ")
    .slice(1);

/** Makes commands say what they were given instead of doing it. */
function listening(command: Command, hear: (command: Command) => void): Command {
  for (const child of command.commands) listening(child, hear);
  if (command.commands.length === 0) command.action(() => hear(command));
  return command.exitOverride().configureOutput({ writeErr: () => undefined });
}

test("every command has an example, and no example is of none", async () => {
  const leaves = leavesOf(await wholeProgram()).map(([path]) => path);
  expect(Object.keys(EXAMPLES).sort()).toEqual(leaves.sort());
}, 120_000);

test("every example is understood by its command's own options", async () => {
  const heard: Command[] = [];
  for (const [path, examples] of Object.entries(EXAMPLES)) {
    for (const [line] of examples) {
      const program = listening(await wholeProgram(), (command) => heard.push(command));
      await program.parseAsync(wordsOf(line), { from: "user" });
      const command = heard.at(-1);
      expect(line.startsWith(`svanet ${path}`), line).toBe(true);
      expect(command?.name(), line).toBe(path.split(" ").at(-1));
      if (command && path === "train" && !line.includes("--resume")) {
        expect(trainConfigFrom(command.opts()).data, line).toBe("cells");
      }
    }
  }
  expect(heard.length).toBe(Object.values(EXAMPLES).flat().length);
}, 120_000);

test("help ends with the examples; of a command with others below it, one of each", async () => {
  const program = await wholeProgram();
  const helpOf = (path: string) => {
    const names = path.split(" ");
    const command = names.reduce<Command | undefined>(
      (above, name) => above?.commands.find((child) => child.name() === name),
      program,
    );
    const parts: string[] = [];
    command?.configureOutput({ writeOut: (part) => void parts.push(part) });
    command?.outputHelp();
    return parts.join("");
  };
  expect(helpOf("eval")).toMatch(/\nExamples:\n {2}svanet eval runs\/first\n {6}ten lines: how good/);
  expect(helpOf("demo")).toContain("\nExample:\n  svanet demo\n");
  expect(helpOf("data")).toContain("\n  svanet data verify cells\n");
  expect(helpOf("data verify")).toContain("\nExample:\n  svanet data verify cells\n");
}, 120_000);
