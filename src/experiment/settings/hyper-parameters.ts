import { sizeText, type TrainConfig } from "./config.ts";
import { recipeOf } from "./recipe.ts";

/**
 * What a run is trained by, as names and plain values for tables of runs: its data, fold and whole recipe; lists as flags
 * have them (`1,2,3`), nothing of what is off.
 */
export function hyperParameters(config: TrainConfig): Record<string, number | string | boolean> {
  const { data, fold } = config;
  const settings = Object.entries({ data, fold, ...recipeOf(config), size: sizeText(config.size) });
  return Object.fromEntries(
    settings.flatMap(([name, value]) => {
      if (value === null || value === undefined) return [];
      return [[name, typeof value === "object" ? listText(value) : value]];
    }),
  );
}

const listText = (value: object): string =>
  Array.isArray(value)
    ? value.join(",")
    : Object.entries(value)
        .map(([name, factor]) => `${name}=${factor}`)
        .join(",");
