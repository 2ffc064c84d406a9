import type { StepReport } from "../../training/trainer.ts";
import type { EvaluationResult } from "../evaluate/scores.ts";
import type { BestBy } from "../settings/config.ts";

/** What a training run tells whoever watches it. */
export interface TrainObserver {
  note(text: string): void;
  /** After every update. */
  step(state: StepState): void;
  /** After every validation. */
  validated(state: ValidationState): void;
  /** When the folder of a run is complete on disk: behind a validation, and once when training is over. The run waits for it. */
  saved?(folder: string, moment: "validated" | "over"): Promise<void>;
}

export interface ValidationState {
  readonly epoch: number;
  readonly result: EvaluationResult;
  /** Whether it is the best so far by the score `bestBy`. */
  readonly best: boolean;
  readonly bestBy: BestBy;
}

export interface StepState {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly loss: number;
  /** Foreground Dice of the batch, percent; NaN when it holds no foreground. */
  readonly dice: number;
  readonly imagesPerSecond: number;
  /** Of mixed precision: what gradients are multiplied by, and the steps skipped so far. Null in f32. */
  readonly scaling: StepReport["scaling"];
  /** Share of the time since the start that was spent waiting for data. */
  readonly waiting: number;
}
