import { type Command, Option } from "commander";
import {
  choicesOf,
  flagOf,
  publishedSettings,
  resolveConfig,
  sizeText,
  TRAIN_DEFAULTS,
  TRAIN_FIELDS,
  type TrainConfig,
  type TrainField,
  type TrainFlags,
} from "../experiment/settings/config.ts";
import { readConfigFile } from "../experiment/settings/config-file.ts";
import { PRECISIONS } from "../training/passes.ts";
import type { OptionRow } from "./option-row.ts";
import { TRAIN_OPTIONS } from "./train-options.ts";

/**
 * Adds `--config` and the flags of the given fields (all of them by default) to a command. `omitted` says what leaving a
 * flag out means there, where that is not what it means in training.
 */
export function addTrainOptions(
  command: Command,
  fields: readonly TrainField[] = TRAIN_FIELDS,
  omitted: { readonly [Field in TrainField]?: string } = {},
): Command {
  const file = "YAML file of these settings, named as config.yaml of a run names them; flags override it";
  command.addOption(new Option("--config <file>", file).helpGroup("Files:"));
  for (const field of fields) command.addOption(trainOption(field, omitted[field]));
  return command;
}

/** The flag of one field. Commander must not apply its default: a file's value would lose to it. */
function trainOption(field: TrainField, omitted?: string): Option {
  const row: OptionRow = TRAIN_OPTIONS[field];
  const choices = choicesOf(field);
  const help = choices === undefined ? row.help : `${row.help}: ${choices.join(" | ")}`;
  const option = new Option(
    `${flagOf(field)} ${row.argument}`.trim(),
    `${help} (default: ${omitted ?? defaultText(field)})`,
  );
  return option.argParser(row.parse).helpGroup(`${row.group}:`);
}

/** The configuration from a command's parsed options, as `addTrainOptions` declared them. */
export function trainConfigFrom(options: Readonly<Record<string, unknown>>, plan?: TrainFlags): TrainConfig {
  const flags: TrainFlags = Object.fromEntries(TRAIN_FIELDS.map((field) => [field, options[field]]));
  const path = options["config"];
  return resolveConfig(flags, typeof path === "string" ? readConfigFile(path) : undefined, plan);
}

/** How a field of {@link trainConfigFrom} was given, for messages: by its flag, or in the file and where. */
export function fieldNamer(options: Readonly<Record<string, unknown>>): (field: string) => string {
  const path = options["config"];
  return (field) =>
    options[field] === undefined && typeof path === "string" ? readConfigFile(path).where(field) : flagOf(field);
}

/** The fields that flags or the file of `--config` give. Throws UsageError where that cannot be read. */
export function givenFields(options: Readonly<Record<string, unknown>>): ReadonlySet<TrainField> {
  const path = options["config"];
  const file = typeof path === "string" ? readConfigFile(path).values : {};
  return new Set(TRAIN_FIELDS.filter((field) => options[field] !== undefined || field in file));
}

/** What an omitted flag means, and for which networks it means something else. */
function defaultText(field: TrainField): string {
  const { omitted, unless }: OptionRow = TRAIN_OPTIONS[field];
  const defaults: Readonly<Record<string, unknown>> = { ...TRAIN_DEFAULTS, size: sizeText(TRAIN_DEFAULTS.size) };
  const published = publishedSettings(field).map(([network, value]) => `${network}: ${value}`);
  return [omitted ?? String(defaults[field]), ...(unless === undefined ? [] : [unless]), ...published].join("; ");
}

/** `--adapter` of a command that trains nothing. */
export const adapterOption = (): Option => trainOption("adapter").helpGroup("Options:");

/** `--precision` of a command that only evaluates networks. */
export const precisionOption = (): Option =>
  new Option("--precision <name>", "how activations and weights are stored; everything is computed in f32")
    .choices(PRECISIONS)
    .default("f32");

/** `--steal-lock` of a command that trains, but not by these flags. */
export const stealLockOption = (): Option => trainOption("stealLock").helpGroup("Options:");
