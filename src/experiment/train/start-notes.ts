import type { Network } from "../../training/network.ts";
import { describeRates } from "../../training/rates.ts";
import type { Footprint } from "../../training/trainer.ts";
import type { TrainConfig } from "../settings/config.ts";

/** What is said before the first step: size, memory (of a step's tensors: `step`), rates of layers, accumulation. */
export function startNotes({ table, store }: Network, config: TrainConfig, step: Footprint): string[] {
  const mebibytes = (value: number) => `${(value / 2 ** 20).toFixed(0)} MiB`;
  const percent = Math.round(100 * (step.bytes / step.least - 1));
  const rates = describeRates(table, config);
  const { accumulate, batchSize } = config;
  return [
    `${table.count().toLocaleString("en")} parameters; GPU memory: ${mebibytes(store.bytes)} for weights, gradients and ` +
      `moments, ${mebibytes(step.bytes)} for the tensors of a step (${percent} % above what lives at once)`,
    ...(rates === null ? [] : [rates]),
    ...(accumulate === 1
      ? []
      : [`gradients of ${accumulate} batches make one update; batch norm sees each batch of ${batchSize} alone`]),
  ];
}
