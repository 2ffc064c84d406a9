import type { Network } from "../../training/network.ts";
import { describeRates } from "../../training/rates.ts";
import type { TrainConfig } from "../settings/config.ts";

/** What is said before the first step: size, memory (`bytes` for a step's tensors), rates of layers, accumulation. */
export function startNotes({ table, store }: Network, config: TrainConfig, bytes: number): string[] {
  const mebibytes = (value: number) => `${(value / 2 ** 20).toFixed(0)} MiB`;
  const rates = describeRates(table, config);
  const { accumulate, batchSize } = config;
  return [
    `${table.count().toLocaleString("en")} parameters; GPU memory: ${mebibytes(store.bytes)} for weights, gradients and ` +
      `moments, ${mebibytes(bytes)} for the tensors of a step`,
    ...(rates === null ? [] : [rates]),
    ...(accumulate === 1
      ? []
      : [`gradients of ${accumulate} batches make one update; batch norm sees each batch of ${batchSize} alone`]),
  ];
}
