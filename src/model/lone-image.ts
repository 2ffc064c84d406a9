import { type NetworkConfig, type Traced, traceNetwork } from "./zoo.ts";

/**
 * The first batch norm of a training trace that sees a single value a channel: a variance of one value does not exist.
 * That happens behind a pooling to single values, or where a map has shrunk to one pixel, when a batch is one image.
 * Undefined where there is none.
 */
export function loneNorm({ build }: Traced): string | undefined {
  return build.statistics.find(({ count }) => count === 1)?.name;
}

/** The norm that keeps a network from training on one image at a time; undefined where nothing does. */
export function normAgainstLoneImages(config: NetworkConfig): string | undefined {
  return loneNorm(traceNetwork(config, { mode: "train", batch: 1 }));
}
