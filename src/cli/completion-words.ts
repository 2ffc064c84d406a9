import type { Command, Option } from "commander";
import { choicesOf, flagOf, TRAIN_FIELDS } from "../experiment/settings/config.ts";
import { everyName } from "./networks.ts";

/** An option as completion knows it. */
export interface CompletionOption {
  /** `--size`, without its short or other forms. */
  readonly flag: string;
  readonly help: string;
  /** Whether a value follows, and which values it may be; none listed where any may. */
  readonly takesValue: boolean;
  readonly values: readonly string[];
}

/** A command as completion knows it. */
export interface CompletionPlace {
  /** `/data/prepare`; empty for `svanet` itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly help: string }[];
  readonly options: readonly CompletionOption[];
  /** Values of the first argument where they are few and known. */
  readonly argument: readonly string[];
}

/** Longest explanation beside a word. */
const LONGEST = 70;

/** Names that a flag takes wherever it stands, beside what its option itself lists. */
const NAMES_BY_FLAG: ReadonlyMap<string, readonly string[]> = new Map([
  ...TRAIN_FIELDS.flatMap((field) => {
    const choices = choicesOf(field);
    return choices === undefined ? [] : [[flagOf(field), choices] as const];
  }),
  ["--model", everyName()],
]);

/** Everything that can be typed at each place of a program, from its own table of commands and options. */
export function completionPlaces(command: Command, path = ""): CompletionPlace[] {
  const place: CompletionPlace = {
    path,
    commands: command.commands.map((child) => ({ name: child.name(), help: shortened(child.description()) })),
    options: [...command.options.filter(({ hidden }) => !hidden).map(optionOf), HELP],
    argument: command.registeredArguments[0]?.argChoices ?? [],
  };
  return [place, ...command.commands.flatMap((child) => completionPlaces(child, `${path}/${child.name()}`))];
}

const HELP: CompletionOption = { flag: "--help", help: "show options and examples", takesValue: false, values: [] };

function optionOf(option: Option): CompletionOption {
  const flag = option.long ?? option.flags;
  const values = option.argChoices ?? NAMES_BY_FLAG.get(flag) ?? [];
  // What may be left out is seldom given: another option follows.
  const takesValue = option.required || (option.optional && values.length > 0);
  return { flag, help: shortened(option.description), takesValue, values: takesValue ? values : [] };
}

/** The first clause of an explanation, on one line. */
function shortened(text: string): string {
  const [clause = ""] = text.split(/ \(default|[;:] /);
  return clause.length <= LONGEST ? clause : `${clause.slice(0, LONGEST - 3).trimEnd()}...`;
}
