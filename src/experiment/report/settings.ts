import { flagOf, START_FIELDS, sizeText, TRAIN_FIELDS, type TrainConfig, type TrainField } from "../settings/config.ts";
import { INCIDENTAL } from "../settings/recipe.ts";
import type { SettingsTable } from "./data.ts";

/** Settings that say where and by what a run is trained, not what. */
const PLACES = ["out", "adapter", "workers", ...START_FIELDS] as const;

/** Settings that say what a run trains, whatever its data and seed. */
const NETWORK_FIELDS = TRAIN_FIELDS.filter(
  (field) => !([...INCIDENTAL, "seed", "classes"] as readonly string[]).includes(field),
);

/** What a setting says, for reading; a dash where nothing is set. */
function valueText(config: TrainConfig, field: TrainField): string {
  const value = config[field];
  if (value === null || value === undefined) return "–";
  if (field === "size") return sizeText(config.size);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  if (typeof value === "object") return Object.entries(value).flat().length === 0 ? "none" : JSON.stringify(value);
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
}

/** The settings that differ between runs, in their order, and those that all have; nothing that only says where a run was trained. */
export function compareSettings(configs: readonly TrainConfig[]): SettingsTable {
  const rows = TRAIN_FIELDS.filter((field) => !(PLACES as readonly string[]).includes(field)).map((field) => ({
    name: flagOf(field).slice(2),
    values: configs.map((config) => valueText(config, field)),
  }));
  const isCommon = ({ values }: (typeof rows)[number]) => new Set(values).size <= 1;
  return {
    differing: rows.filter((row) => !isCommon(row)),
    common: rows
      .filter(isCommon)
      .flatMap(({ name, values: [value] }) => (value === undefined ? [] : [{ name, value }])),
  };
}

/** Most settings that a name tells networks apart by. */
const MOST_TOLD = 3;

/**
 * A name for what each run trains: its row's in a study's table where there is one, else the network's, with the settings that
 * tell it from others of that network. Runs that differ by seed, data or machine alone share it.
 */
export function groupNames(
  runs: readonly { readonly name: string; readonly config: TrainConfig }[],
  rowOf: ReadonlyMap<string, string>,
): string[] {
  const networkOf = ({ model, preset }: TrainConfig) => (model === "svanet" ? preset : model);
  return runs.map(({ name, config }) => {
    const row = rowOf.get(name);
    if (row !== undefined) return row;
    const network = networkOf(config);
    const others = runs.filter((run) => !rowOf.has(run.name) && networkOf(run.config) === network);
    const told = NETWORK_FIELDS.filter(
      (field) => new Set(others.map((other) => valueText(other.config, field))).size > 1,
    ).map((field) => `${flagOf(field).slice(2)} ${valueText(config, field)}`);
    const more = told.length > MOST_TOLD ? [`${told.length - MOST_TOLD} more`] : [];
    return [network, ...told.slice(0, MOST_TOLD), ...more].join(", ");
  });
}
