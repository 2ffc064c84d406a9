import { isDeepStrictEqual } from "node:util";
import { SCHEDULES } from "../../autograd/schedule.ts";
import { type NetworkConfig, traceNetwork } from "../../model/zoo.ts";
import type { TrainConfig } from "./config.ts";
import { classesBeside } from "./outputs.ts";
import { bestByOf, frozenEpochs, networkConfig, scheduleOf } from "./recipe.ts";
import { SVANET_FIELDS } from "./svanet-parts.ts";

/**
 * The configuration with every default that is decided elsewhere filled in: the network's parts, width, classes and weights
 * of its outputs, the rate, the frozen epochs and the score that chooses. It trains the same run to the bit. Left alone, as
 * null, stay what is off and what the machine or the data decide (`workers`, `adapter`, `window`; frozen epochs of loaded
 * weights where `steps` ends the run, because the number of epochs is then the data's).
 */
export function resolvedConfig(config: TrainConfig, network: NetworkConfig): TrainConfig {
  const { epochs } = config;
  const counted = config.steps === null || config.weights === null;
  const found: TrainConfig = {
    ...config,
    ...partsOf(config, network),
    classes: classesBeside(config, network.classes),
    lr: config.lr ?? (SCHEDULES.includes(config.schedule) ? scheduleOf(config, epochs).high : null),
    headWeights: config.headWeights ?? headWeightsOf(network),
    freezeEpochs: counted ? frozenEpochs(config, epochs) : config.freezeEpochs,
    bestBy: bestByOf(config),
  };
  return found.width === null ? { ...found, width: widthOf(found, network) } : found;
}

/** The parts of a SvANet that can be exchanged. */
function partsOf(config: TrainConfig, network: NetworkConfig): Partial<TrainConfig> {
  if (network.kind !== "svanet") return {};
  const fields = SVANET_FIELDS.filter(
    (field) => config[field] === null && !(field === "formerHeads" && network.formerAttention === "separable"),
  );
  return Object.fromEntries(fields.map((field) => [field, network[field]]));
}

/** The weights of the outputs in the network's order. */
const headWeightsOf = (network: NetworkConfig): number[] =>
  traceNetwork(network, { mode: "train", batch: 2 }).heads.map(({ weight }) => weight);

/** The `width` that gives just this network; null where it was never scaled by one. */
function widthOf(config: TrainConfig, network: NetworkConfig): number | null {
  if (!("base" in network)) return null;
  const width = network.base;
  return isDeepStrictEqual(networkConfig({ ...config, width }, network.classes), network) ? width : null;
}
