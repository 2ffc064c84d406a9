import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import type { TrainConfig } from "../settings/config.ts";
import type { TrainObserver } from "./train-observer.ts";

export interface TrainInput {
  readonly config: TrainConfig;
  readonly network: NetworkConfig;
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly device: Device;
  readonly observer: TrainObserver;
  /** Polled between steps; true stops the run after saving. */
  readonly stopped?: () => boolean;
}

export interface TrainResult {
  readonly steps: number;
  readonly finished: boolean;
  readonly best: number | null;
}

export function trainSamples(dataset: CheckedDataset): readonly CheckedSample[] {
  return dataset.splits.train ?? [];
}
