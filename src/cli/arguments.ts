import { InvalidArgumentError } from "commander";
import type { Window } from "../data/formats/window.ts";

/** `12`, `-0.5`, `1e-3`: no spaces, no hexadecimal digits, no words. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The finite decimal number that a text is; undefined for every other text. */
export function decimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** The numbers of a comma-separated list, spaces round them allowed; undefined where an item is none. */
function decimals(text: string): number[] | undefined {
  const values = text.split(",").map((item) => decimal(item.trim()));
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** The parser of an argument. Throws InvalidArgumentError, to which commander adds the option and what was given. */
type Parser<Value> = (text: string) => Value;

/** A whole number from `least` on, such as a count (from 1) or a seed (from 0). */
export function wholeNumber(least: number): Parser<number> {
  return (text) => {
    const value = decimal(text);
    if (value !== undefined && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
  };
}

/** A port of this machine; 0 is any that is free. */
export function portNumber(text: string): number {
  const value = decimal(text);
  if (value !== undefined && Number.isInteger(value) && value >= 0 && value < 2 ** 16) return value;
  throw new InvalidArgumentError("Expected a port from 0 (any that is free) to 65535.");
}

/** A number from `least` on, `unit` being what it counts. */
export function numberFrom(least: number, unit: string): Parser<number> {
  return (text) => {
    const value = decimal(text);
    if (value !== undefined && value >= least) return value;
    throw new InvalidArgumentError(`Expected a number of ${unit} from ${least}.`);
  };
}

/** Help of `--memory`. */
export const MEMORY_HELP =
  "GPU memory that a plan counts on, such as 8GiB (default: what a software driver may have; of a GPU 8GiB)";

/** `8GiB`, `512 MiB`, `24`: bytes of memory, gibibytes where no unit is given; GB and G mean GiB here, as on GPUs' boxes. */
export function memoryArgument(text: string): number {
  const [, number = "", unit = ""] = /^\s*([\d.]+)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text) ?? [];
  const value = decimal(number);
  const powers: Readonly<Record<string, number>> = { m: 2, g: 3, "": 3, t: 4 };
  const power = powers[unit.toLowerCase()];
  if (value !== undefined && value > 0 && power !== undefined) return value * 1024 ** power;
  throw new InvalidArgumentError("Expected an amount of memory such as 8GiB or 512MiB.");
}

/** Millimetres between columns and between rows, `0.5,0.25`, or one number for both. */
export function spacingArgument(text: string): readonly [number, number] {
  const values = decimals(text) ?? [];
  const [x = 0, y = x] = values;
  if (values.length <= 2 && x > 0 && y > 0) return [x, y];
  throw new InvalidArgumentError("Expected millimetres above 0, such as 0.25, or two with a comma: columns, rows.");
}

/** Any finite decimal number. */
export function numberArgument(text: string): number {
  const value = decimal(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** A text that is not empty. */
export function textArgument(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("Expected a text.");
}

/** Channels that a picture is drawn of, counted from 0: one, or three for red, green and blue. */
export function shownArgument(text: string): readonly number[] {
  const channels = decimals(text) ?? [];
  const isRight = channels.length === 1 || channels.length === 3;
  if (isRight && channels.every((channel) => Number.isInteger(channel) && channel >= 0)) return channels;
  throw new InvalidArgumentError("Expected one channel or three, counted from 0, such as 2 or 0,1,2.");
}

/** One or several of `choices` in a comma-separated list, added to those of the option given before; each once. */
export function someOf<Choice extends string>(choices: readonly Choice[]) {
  return (text: string, before: readonly Choice[] = []): readonly Choice[] => {
    const items = text.split(",").map((item) => {
      const choice = choices.find((name) => name === item.trim());
      if (choice !== undefined) return choice;
      throw new InvalidArgumentError(`Expected some of ${choices.join(", ")} in a comma-separated list.`);
    });
    return [...new Set([...before, ...items])];
  };
}

/** A share of a whole, from 0 to `most`. */
export function share(most: number): Parser<number> {
  return (text) => {
    const value = decimal(text);
    if (value !== undefined && value >= 0 && value <= most) return value;
    throw new InvalidArgumentError(`Expected a share from 0 to ${most}.`);
  };
}

/** `-160,240` as the values that a scan's window shows black and white. */
export function windowArgument(text: string): Window {
  const [low, high, ...more] = decimals(text) ?? [];
  if (low !== undefined && high !== undefined && more.length === 0 && low < high) return { low, high };
  throw new InvalidArgumentError("Expected two values, the lower first: --window=-160,240.");
}

/** `1,10,100` as ascending limits in percent. */
export function limitsArgument(text: string): number[] {
  const limits = decimals(text) ?? [];
  const ascending = limits.every((limit, i) => limit > (limits[i - 1] ?? 0) && limit <= 100);
  if (limits.length > 0 && ascending) return limits;
  throw new InvalidArgumentError("Expected ascending percentages up to 100, such as 0.5,1,2,3,5,10,100.");
}

/** `128,256,512` as different whole numbers from 1, ascending. */
export function countsArgument(text: string): number[] {
  const counts = decimals(text) ?? [];
  const ascending = counts.every(
    (count, i) => Number.isSafeInteger(count) && count >= 1 && count > (counts[i - 1] ?? 0),
  );
  if (counts.length > 0 && ascending) return counts;
  throw new InvalidArgumentError("Expected ascending whole numbers from 1, such as 128,256,512.");
}

/** The different names of a comma-separated list. */
export function namesArgument(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (!names.includes("") && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError("Expected different names such as liver,tumour.");
}

/** A network's classes, the background first: names, or made-up ones for their number. */
export function classesArgument(text: string): string[] {
  const count = decimal(text);
  const names = count === undefined ? namesArgument(text) : numbered(count);
  if (names.length >= 2 && names.length <= 255) return names;
  throw new InvalidArgumentError("Expected 2 to 255 classes with the background: a number, or names by label.");
}

function numbered(count: number): string[] {
  return Number.isInteger(count) && count <= 255
    ? Array.from({ length: Math.max(0, count) }, (_, i) => `class ${i}`)
    : [];
}

export type Triple = readonly [number, number, number];

/** One number from 0 to 1 for each of red, green and blue. */
export function tripleArgument(text: string): Triple {
  const [r, g, b, ...more] = decimals(text) ?? [];
  const within = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 1;
  if (more.length === 0 && within(r) && within(g) && within(b)) return [r, g, b];
  throw new InvalidArgumentError(
    "Expected three numbers from 0 to 1, such as 0.5,0.4,0.3 (of 0 to 255: divided by 255).",
  );
}

/** As {@link tripleArgument}, for what images are divided by. */
export function deviationArgument(text: string): Triple {
  const values = tripleArgument(text);
  if (values.every((value) => value > 0)) return values;
  throw new InvalidArgumentError("Expected numbers above 0: images are divided by them.");
}
