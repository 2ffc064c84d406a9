import { CheckpointError } from "../../errors.ts";
import { channelsOf } from "../../model/definition.ts";
import type { Parameter } from "../../model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../../model/zoo.ts";
import { withBackground } from "../../weights/background.ts";
import { matchNames, type Slot } from "../../weights/match.ts";
import type { WeightsFile } from "../../weights/read-weights.ts";
import { adaptedToChannels } from "../../weights/rgb-stem.ts";
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
  const { label: names, found, foreground, rgb, problems, notes } = matchNames(slots, file.tensors);
  const list = problems.map((problem) => `\n  ${problem}`).join("");
  if (problems.length > 0 && (!partial || found.size + rgb.size === 0)) {
    const cure = partial ? "nothing in it fits" : "--partial loads what fits and leaves the rest random";
    throw new CheckpointError(
      `${label} does not fit the network, in ${problems.length} tensors (names as in ${names}); ${cure}:${list}`,
    );
  }
  const widened = [...foreground].map(([name, tensor]) => [name, withBackground(name, tensor)] as const);
  const channels = new Map(slots.map(({ name, shape }) => [name, shape[1] ?? 1] as const));
  const adapted = [...rgb].map(([name, tensor]) => {
    const count = channels.get(name) ?? 1;
    return { count, entry: [name, adaptedToChannels(tensor, count)] as const };
  });
  const [first] = adapted;
  return {
    tensors: new Map([...found, ...widened, ...adapted.map(({ entry }) => entry)]),
    notes: [
      `names as in ${names}`,
      ...file.notes,
      ...notes,
      ...(widened.length > 0 ? ["it has one output for the foreground: class 1 here, class 0 with the logit 0"] : []),
      ...(first === undefined ? [] : [stemNote(first.entry[0], first.count)]),
      ...(problems.length > 0 ? [`--partial left out ${problems.length} tensors:${list}`] : []),
    ],
  };
}

/** How a stem that saw RGB came to see `channels`. */
function stemNote(name: string, channels: number): string {
  const how =
    channels === 1
      ? "the sum of its weights for red, green and blue"
      : `its weights for red, green and blue in turn, times 3/${channels}`;
  return `${name} saw RGB and sees ${channels} ${channels === 1 ? "channel" : "channels"} now: ${how} (timm's rule)`;
}

/** What is to be filled in a network, with the shapes that the same network for RGB images has. */
export function slotsOf(config: NetworkConfig): (Parameter & Slot)[] {
  const listOf = (own: NetworkConfig) => traceNetwork(own, { mode: "eval", batch: 2 }).build.parameters.list();
  const slots = listOf(config);
  if (channelsOf(config) === 3 || config.kind === "own") return [...slots];
  const rgb = new Map(listOf({ ...config, inChannels: 3 }).map(({ name, shape }) => [name, shape] as const));
  return slots.map((slot) => {
    const rgbShape = rgb.get(slot.name);
    return rgbShape === undefined || rgbShape.join() === slot.shape.join() ? slot : { ...slot, rgbShape };
  });
}
