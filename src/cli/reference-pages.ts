import type { Command, Option } from "commander";
import { EXAMPLES } from "./examples.ts";
import { leavesOf } from "./whole-program.ts";

const NOTE = "<!-- Written by npm run reference from the tables that parse the commands; do not edit. -->";

/**
 * The reference of the command line as Markdown by file name: a page for each command with its arguments, options and
 * examples, and README.md, which lists them.
 */
export function referencePages(program: Command): ReadonlyMap<string, string> {
  const pages = program.commands.map((command) => [`${command.name()}.md`, page(command)] as const);
  const rows = program.commands.map((command) => [
    `[\`svanet ${command.name()}\`](${command.name()}.md)`,
    escaped(command.description()),
  ]);
  const intro =
    "Every command with every option. `svanet COMMAND --help` shows the same, `svanet completion` makes a shell complete it. " +
    "All commands know `--help` and `--debug`, which shows the stack of an error.";
  const index = `${NOTE}\n\n# Commands\n\n${intro}\n\n${table(["command", "does"], rows)}\n`;
  return new Map([...pages, ["README.md", index]]);
}

function page(command: Command): string {
  const leaves = leavesOf(command, command.name());
  const sections = leaves.map(([path, leaf]) => section(path, leaf, leaves.length === 1 ? "#" : "##"));
  const head = leaves.length === 1 ? [] : [`# svanet ${command.name()}\n\n${sentence(command.description())}`];
  return `${[NOTE, ...head, ...sections].join("\n\n")}\n`;
}

function section(path: string, command: Command, mark: string): string {
  const { registeredArguments } = command;
  const words = registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? "..." : ""}`;
    return one.required ? `<${name}>` : `[${name}]`;
  });
  const examples = (EXAMPLES[path] ?? []).map(([line, meaning]) => `# ${meaning}\n${line}`);
  return [
    `${mark} svanet ${path}`,
    sentence(command.description()),
    `\`\`\`sh\nsvanet ${[path, ...words, "[options]"].join(" ")}\n\`\`\``,
    ...(registeredArguments.length === 0
      ? []
      : [
          table(
            ["argument", "means"],
            registeredArguments.map((one) => [
              `\`${one.name()}\``,
              escaped(one.description + standing(one.defaultValue, undefined) + choices(one.argChoices)),
            ]),
          ),
        ]),
    ...optionTables(command),
    ...(examples.length === 0 ? [] : [`\`\`\`sh\n${examples.join("\n\n")}\n\`\`\``]),
  ].join("\n\n");
}

/** The options by the groups that the help has. */
function optionTables(command: Command): string[] {
  const groups = new Map<string, Option[]>();
  for (const option of command.options.filter(({ hidden }) => !hidden)) {
    const group = (option.helpGroupHeading ?? "Options:").replace(/:$/, "");
    groups.set(group, [...(groups.get(group) ?? []), option]);
  }
  return [...groups].map(([group, options]) =>
    table(
      [group === "Options" ? "option" : `option: ${group.toLowerCase()}`, "does"],
      options.map((option) => [
        `\`${option.flags.replaceAll("|", "\\|")}\``,
        escaped(option.description + standing(option.defaultValue, option) + choices(option.argChoices)),
      ]),
    ),
  );
}

const choices = (names: readonly string[] | undefined): string => (names ? `. One of: ${names.join(", ")}` : "");

/** What holds where nothing is given, and whether something must be. */
function standing(value: unknown, option: Option | undefined): string {
  if (option?.mandatory) return " (must be given)";
  if (option?.negate || value === undefined || value === false) return "";
  return ` (default: ${option?.defaultValueDescription ?? String(value)})`;
}

const sentence = (text: string): string => `${escaped(text.charAt(0).toUpperCase() + text.slice(1))}.`;

/** A text that Markdown shows as it is. */
const escaped = (text: string): string => text.replace(/[|<*_`]/g, (mark) => `\\${mark}`);

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map(line)].join("\n");
}
