import type { TrainConfig, TrainField } from "../experiment/settings/config.ts";
import { decimal } from "./arguments.ts";

/**
 * How a field of the training configuration appears on the command line. Its flag is the field's name, and the names it
 * takes are the schema's: neither is written here.
 */
export interface OptionRow<Field extends TrainField = TrainField> {
  readonly group: "Files" | "Network" | "Data" | "Training" | "Loss" | "Run";
  /** The argument as the help shows it: `<n>`, `[auto]` for one that may be left out, nothing for a switch. */
  readonly argument: string;
  /** What it does; the names it takes follow behind a colon. */
  readonly help: string;
  /** The flag's text as a configuration value; its range is checked by the schema, for flags and files alike. */
  readonly parse: (text: string) => unknown;
  /** A text and the value it must become, another one than the default; a switch has no text. Tests go by it. */
  readonly sample: readonly [text: string, value: TrainConfig[Field]];
  /** What an omitted flag means, where the default value alone does not say it. */
  readonly omitted?: string;
  /** Where the default is another one. */
  readonly unless?: string;
}

/** A row for every field: one that is missing does not compile. */
export type OptionTable = { readonly [Field in TrainField]: OptionRow<Field> };

export const asText = (text: string): string => text;

/** A number; anything else stays text, which the schema refuses with the flag's name. */
export const asNumber = (text: string): number | string => decimal(text) ?? text;

/** Comma-separated items; `none` is the empty list. */
export const asList = (text: string): string[] => (text === "none" ? [] : text.split(",").map((item) => item.trim()));

export const asNumbers = (text: string): (number | string)[] => asList(text).map(asNumber);

/** A name, or numbers where the text begins with one. */
export const asNamesOrNumbers = (text: string): string | (number | string)[] =>
  /^[\d.+-]/.test(text) ? asNumbers(text) : text;

/** `on` and `off`; anything else stays text. */
export const asSwitch = (text: string): boolean | string => (text === "on" ? true : text === "off" ? false : text);

/** `name=factor` pairs as a map; what has no `=` stays text, which the schema refuses. */
export const asFactors = (text: string): Record<string, number | string> =>
  Object.fromEntries(
    text.split(",").map((item) => {
      const [name = "", factor] = item.split("=").map((side) => side.trim());
      return [name, factor === undefined ? item : asNumber(factor)];
    }),
  );
