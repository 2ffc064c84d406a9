import { DataError } from "../../errors.ts";
import { networkTensors, trainerTensors } from "../../inference/checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { unsoundNumber } from "../../inference/checkpoint/sound.ts";
import type { ParameterTable } from "../../model/parameters.ts";
import type { Trainer } from "../../training/trainer.ts";
import type { StoredTensor } from "../../weights/safetensors.ts";
import { saveCheckpoint } from "../checkpoint/checkpoint.ts";
import type { RunFolder } from "../run/run-folder.ts";

/** Writes a run's checkpoints, and none of a state that has gone wrong. */
export class Keeper {
  readonly #folder: RunFolder;
  readonly #trainer: Trainer;
  /** The step of the last state that was written or resumed from; null before the first. */
  #saved: number | null;

  constructor(folder: RunFolder, trainer: Trainer, saved: number | null) {
    this.#folder = folder;
    this.#trainer = trainer;
    this.#saved = saved;
  }

  /** Which checkpoint there is to go back to. */
  get whatIsLeft(): string {
    return this.#saved === null
      ? "no checkpoint has been written"
      : `the last checkpoint is that of step ${this.#saved}`;
  }

  /** The network's tensors. DataError where they are nothing to validate or keep. */
  async soundNetwork(step: number): Promise<ReadonlyMap<string, StoredTensor>> {
    const { network } = this.#trainer;
    return this.#sound(network.table, await networkTensors(network), step);
  }

  /** Keeps a network that validated best. */
  async keepBest(tensors: ReadonlyMap<string, StoredTensor>, facts: CheckpointFacts): Promise<void> {
    await saveCheckpoint(this.#folder.paths.best, tensors, facts);
  }

  /** Keeps the complete state. DataError where it is nothing to go on from. */
  async keepLast(facts: CheckpointFacts): Promise<void> {
    const { step } = facts.progress;
    const tensors = this.#sound(this.#trainer.network.table, await trainerTensors(this.#trainer), step);
    await this.#folder.replaceLast((path) => saveCheckpoint(path, tensors, facts));
    this.#saved = step;
  }

  #sound(table: ParameterTable, tensors: ReadonlyMap<string, StoredTensor>, step: number) {
    const wrong = unsoundNumber(table, tensors);
    if (wrong === null) return tensors;
    throw new DataError(
      `after step ${step} the network's numbers are beyond all use (${wrong}): lower --lr or set --clip-norm; ` +
        this.whatIsLeft,
    );
  }
}
