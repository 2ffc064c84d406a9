import { CheckpointError } from "../../errors.ts";
import { withBackground } from "../../weights/background.ts";
import { matchNames, type Slot } from "../../weights/match.ts";
import type { WeightsFile } from "../../weights/read-weights.ts";
import type { StoredTensor } from "../../weights/safetensors.ts";

interface FittedWeights {
  /** By our names; every tensor has the shape of its slot. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Sentences on how names were understood, what was left out, and with `partial` on what did not fit. */
  readonly notes: readonly string[];
}

/**
 * Gives the tensors of a file their places in a network. Throws CheckpointError that lists all that are missing, have no
 * place or another shape; `partial` allows them as long as anything fits. `label` names the file in messages.
 */
export function fitWeights(
  slots: readonly Slot[],
  file: Pick<WeightsFile, "tensors" | "notes">,
  { label, partial }: { readonly label: string; readonly partial: boolean },
): FittedWeights {
  const { label: names, found, foreground, problems, notes } = matchNames(slots, file.tensors);
  const list = problems.map((problem) => `\n  ${problem}`).join("");
  if (problems.length > 0 && (!partial || found.size === 0)) {
    const cure = partial ? "nothing in it fits" : "--partial loads what fits and leaves the rest random";
    throw new CheckpointError(
      `${label} does not fit the network, in ${problems.length} tensors (names as in ${names}); ${cure}:${list}`,
    );
  }
  const widened = [...foreground].map(([name, tensor]) => [name, withBackground(name, tensor)] as const);
  return {
    tensors: new Map([...found, ...widened]),
    notes: [
      `names as in ${names}`,
      ...file.notes,
      ...notes,
      ...(widened.length > 0 ? ["it has one output for the foreground: class 1 here, class 0 with the logit 0"] : []),
      ...(problems.length > 0 ? [`--partial left out ${problems.length} tensors:${list}`] : []),
    ],
  };
}
