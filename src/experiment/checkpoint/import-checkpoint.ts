import { CheckpointError, UsageError } from "../../errors.ts";
import { type Checkpoint, isCheckpoint } from "../../inference/checkpoint/checkpoint.ts";
import type { CheckpointFacts } from "../../inference/checkpoint/facts.ts";
import { initialValues, type Parameter } from "../../model/parameters.ts";
import { readWeights } from "../../weights/read-weights.ts";
import { float32, int32, type StoredTensor, storeFloat32, storeInt32 } from "../../weights/safetensors.ts";
import { fitWeights, slotsOf } from "./fit-weights.ts";

/** What nearly all public encoders were trained under. */
export const IMAGENET_STATISTICS = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** Decides what a file does not hold: region maps, and with `partial` whatever is missing. */
const SEED = 0;

/**
 * A checkpoint of a network that was trained elsewhere: the tensors of a PyTorch or safetensors file, by our names or
 * public ones, and the facts such a file does not state. Unlike a start for training it must fill the whole network, or
 * `partial` leaves the rest random. Throws CheckpointError with all that does not fit.
 */
export async function importCheckpoint(
  path: string,
  facts: Omit<CheckpointFacts, "progress">,
  { partial }: { readonly partial: boolean },
): Promise<{ readonly checkpoint: Checkpoint; readonly notes: readonly string[] }> {
  const file = await readWeights(path);
  if (isCheckpoint(file.metadata)) {
    throw new UsageError(
      `${path} is a checkpoint, which says itself which network it holds: leave the network's flags out`,
    );
  }
  const slots = slotsOf(facts.config);
  const { tensors, notes } = fitWeights(slots, file, { label: path, partial });
  const missing = slots.filter(({ name, kind }) => kind !== "region" && !tensors.has(name));
  if (missing.length > 0 && !partial) {
    throw new CheckpointError(
      `${path} holds ${tensors.size} of the network's ${slots.length} tensors (${notes[0]}), its encoder alone: train the ` +
        `rest (svanet train --weights ${path}), or give --partial, which leaves it random`,
    );
  }
  const progress = { step: 0, epoch: 0, stepInEpoch: 0, best: null, bestEpoch: null, recipe: "" };
  return {
    checkpoint: {
      path,
      facts: { ...facts, progress },
      tensors: new Map(slots.map((slot) => [slot.name, stored(slot, tensors.get(slot.name))] as const)),
    },
    notes: missing.length === 0 ? notes : [...notes, `${missing.length} of ${slots.length} tensors are random`],
  };
}

function stored(slot: Parameter, tensor: StoredTensor | undefined): StoredTensor {
  const { kind, shape } = slot;
  if (kind !== "region") return storeFloat32(tensor ? float32(tensor) : initialValues(slot, SEED), shape);
  return storeInt32(tensor ? int32(tensor) : Int32Array.from(initialValues(slot, SEED)), shape);
}
