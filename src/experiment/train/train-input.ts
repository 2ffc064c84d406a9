import type { CheckedDataset, CheckedSample } from "../../data/dataset/check-dataset.ts";
import type { PixelStatistics } from "../../data/image/normalise.ts";
import type { Device } from "../../kernels/device/device.ts";
import type { NetworkConfig } from "../../model/zoo.ts";
import type { BestBy, TrainConfig } from "../settings/config.ts";
import type { TrainObserver } from "./train-observer.ts";
import type { Trouble } from "./trouble.ts";

export interface TrainInput {
  readonly config: TrainConfig;
  readonly network: NetworkConfig;
  readonly dataset: CheckedDataset;
  readonly statistics: PixelStatistics;
  readonly device: Device;
  /** The text of plan.yaml, where a plan was made for this run. */
  readonly plan?: string;
  readonly observer: TrainObserver;
  /** Polled between steps; true stops the run after saving. */
  readonly stopped?: () => boolean;
}

export interface TrainResult {
  readonly steps: number;
  readonly finished: boolean;
  /** The best validation's score, by {@link bestBy}, percent; null before the first. */
  readonly best: number | null;
  readonly bestBy: BestBy;
  /** Why a finished run is nothing to be glad of, with a hint; null where nothing is known against it. */
  readonly trouble: Trouble | null;
}

/** What an epoch visits: each training image once, or as often as it gives patches. Draws differ from place to place. */
export function trainSamples(
  dataset: Pick<CheckedDataset, "splits">,
  { patches }: Pick<TrainConfig, "patches">,
): readonly CheckedSample[] {
  const samples = dataset.splits.train ?? [];
  return patches > 1 ? samples.flatMap((sample) => Array.from({ length: patches }, () => sample)) : samples;
}
