import { type Command, InvalidArgumentError, Option } from "commander";
import {
  flagOf,
  resolveConfig,
  TRAIN_DEFAULTS,
  TRAIN_FIELDS,
  type TrainConfig,
  type TrainField,
  type TrainFlags,
} from "../experiment/settings/config.ts";
import { readConfigFile } from "../experiment/settings/config-file.ts";
import { number, type OptionRow, TRAIN_OPTIONS } from "./train-options.ts";

/** For options outside the table: a number, or wrong usage that names the option and what was given. */
export function numberArgument(value: string): number {
  const parsed = number(value);
  if (typeof parsed === "string") throw new InvalidArgumentError("It is no number.");
  return parsed;
}

/**
 * Adds `--config` and the flags of the given fields (all of them by default) to a command. `omitted` says what leaving a
 * flag out means there, where that is not what it means in training.
 */
export function addTrainOptions(
  command: Command,
  fields: readonly TrainField[] = TRAIN_FIELDS,
  omitted: { readonly [Field in TrainField]?: string } = {},
): Command {
  command.addOption(
    new Option("--config <file>", "YAML file of these settings; flags override it").helpGroup("Files:"),
  );
  for (const field of fields) {
    const row: OptionRow = TRAIN_OPTIONS[field];
    const byDefault = omitted[field] === undefined ? defaultText(field) : ` (default: ${omitted[field]})`;
    const option = new Option(`${flagOf(field)} ${row.argument}`.trim(), `${row.help}${byDefault}`);
    command.addOption(option.argParser(row.parse).helpGroup(`${row.group}:`));
  }
  return command;
}

/** The configuration from a command's parsed options, as `addTrainOptions` declared them. */
export function trainConfigFrom(options: Readonly<Record<string, unknown>>, planned?: TrainFlags): TrainConfig {
  const flags: TrainFlags = Object.fromEntries(TRAIN_FIELDS.map((field) => [field, options[field]]));
  const path = options["config"];
  return resolveConfig(flags, typeof path === "string" ? readConfigFile(path) : undefined, planned);
}

/** The default as the help shows it. Commander must not apply it: a file's value would lose to it. */
function defaultText(field: TrainField): string {
  const { omitted }: OptionRow = TRAIN_OPTIONS[field];
  if (omitted !== undefined) return ` (default: ${omitted})`;
  if (field === "data" || field === "out" || field === "resume") return "";
  if (field === "augment") return " (default: all)";
  return ` (default: ${String(TRAIN_DEFAULTS[field])})`;
}
