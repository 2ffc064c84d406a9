import { type Command, Option } from "commander";
import { UsageError } from "../errors.ts";
import { TRAIN_FIELDS, type TrainField } from "../experiment/settings/config.ts";
import type { Axis } from "../experiment/study/grid.ts";
import { suggestion } from "../nearest.ts";
import { decimal, wholeNumber } from "./arguments.ts";
import { TRAIN_OPTIONS } from "./train-options.ts";

/** Settings that do not change what is trained, or that the study decides. */
const FIXED: readonly TrainField[] = [
  ...(["data", "out", "recipe", "resume", "seed", "workers", "adapter", "checkpointEvery"] as const),
  ...(["acceptChangedData", "stealLock", "weightsDir", "fold", "judge"] as const),
];

/** The settings that a grid may vary. */
const VARIED = TRAIN_FIELDS.filter((field) => !FIXED.includes(field));

/** Adds `--grid` and `--random`. */
export function addGridOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--grid <setting=values>",
        'instead of tables: compare every combination of values, repeatable: "lr=1e-4,5e-5", "mc-sizes=1,2;1,2,3"; with --random also a range, "lr=1e-5..1e-3"',
      ).argParser((text: string, before: readonly string[] = []) => [...before, text]),
    )
    .option("--random <n>", "so many of the combinations, drawn by --seed", wholeNumber(1));
}

/** What `--grid` says: a setting by its flag's name, and its values. UsageError for one that cannot be varied. */
export function axisOf(text: string): Axis {
  const at = text.indexOf("=");
  const name = (at < 0 ? text : text.slice(0, at)).trim().replace(/^--/, "");
  const field = VARIED.find((one) => one === name || flagName(one) === name);
  if (field === undefined) {
    throw new UsageError(`--grid ${text}: ${name} is no setting to vary. ${suggestion(name, VARIED.map(flagName))}`);
  }
  const values = at < 0 ? "" : text.slice(at + 1).trim();
  const [low, high, ...more] = values.split("..").map((end) => decimal(end.trim()));
  if (low !== undefined && high !== undefined && more.length === 0) {
    if (low < high) return { field, text, over: { low, high } };
    throw new UsageError(`--grid ${text}: a range goes from the lower number to the higher`);
  }
  const { parse, sample } = TRAIN_OPTIONS[field];
  const isList = Array.isArray(sample[1]) || field === "layerRates";
  const items = values.split(isList || values.includes(";") ? ";" : ",").map((item) => item.trim());
  if (items.includes("")) {
    const example = isList ? `${name}=1,2;1,2,3` : `${name}=a,b`;
    throw new UsageError(`--grid ${text}: values are missing; give such as ${example}`);
  }
  const over =
    sample[0] === "" ? items.map((item) => (item === "on" ? true : item === "off" ? false : item)) : items.map(parse);
  return { field, text, over };
}

const flagName = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The axes of all `--grid` flags. UsageError where two vary one setting, or one is also given for all. */
export function axesOf(texts: readonly string[], flags: Readonly<Record<string, unknown>>): Axis[] {
  const axes = texts.map(axisOf);
  for (const [i, { field, text }] of axes.entries()) {
    if (axes.findIndex((other) => other.field === field) < i) throw new UsageError(`--grid ${text}: given twice`);
    if (flags[field] !== undefined) {
      throw new UsageError(`--${flagName(field)}: --grid ${text} varies it; leave one of them out`);
    }
  }
  return axes;
}
