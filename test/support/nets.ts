import { fitted, type NetworkConfig, type Sizing, ZOO } from "../../src/model/zoo.ts";

/** The comparison networks of the zoo, each narrow enough to run in a test. */
export const COMPARISON = ZOO.filter(({ config }) => config.kind !== "svanet").map(({ name }) => name);

/** The narrowest width a network can have here. */
const WIDTHS: Readonly<Record<string, number>> = { unet: 4, unetpp: 4, nnunet: 4, hrnet: 4 };

export function tinyNetwork(name: string, sizing: Partial<Sizing> = {}): NetworkConfig {
  const entry = ZOO.find((known) => known.name === name);
  if (!entry) throw new Error(`there is no network ${name}`);
  const base = WIDTHS[entry.config.kind] ?? 8;
  return fitted(entry.config, { classes: 2, height: 64, width: 64, base, ...sizing });
}
