import type { TrainFlags } from "../../src/experiment/settings/config.ts";
import { fitted, fromZoo, type NetworkConfig, type Sizing, ZOO } from "../../src/model/zoo.ts";

/** Every network of the zoo, by name. */
export const NETWORKS = ZOO.map(({ name }) => name);

export const isSvanet = (name: string): boolean =>
  ZOO.some((entry) => entry.name === name && entry.config.kind === "svanet");

/**
 * Keys of what training does not reach, by the network's publication: an output of weight 0, a stage nobody reads. Of
 * others nothing.
 */
export const UNREACHED: Readonly<Record<string, RegExp>> = {
  nnunet: /^param:head\.0\./,
  "transnetr-full": /^param:encoder\.stage\.3\./,
};

/** The narrowest width a network can have here. */
const WIDTHS: Readonly<Record<string, number>> = { unet: 4, unetpp: 4, nnunet: 4, hrnet: 4 };

/** What `train` is asked for such a network; SvANet's encoder is shallow here too. */
export function tinyFlags(name: string): TrainFlags {
  const { config } = fromZoo(name);
  const width = WIDTHS[config.kind] ?? 8;
  return config.kind === "svanet" ? { preset: name, width, encoder: "mini" } : { model: name, width, encoder: null };
}

export function tinyNetwork(name: string, sizing: Partial<Sizing> = {}): NetworkConfig {
  const { config } = fromZoo(name);
  const base = WIDTHS[config.kind] ?? 8;
  return fitted(config, { classes: 2, height: 64, width: 64, base, ...sizing });
}
