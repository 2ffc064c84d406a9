import { CheckpointError } from "../../errors.ts";
import { stripPrefixes } from "../prefixes.ts";
import { Dict, type Item, TensorReference } from "./pickle-values.ts";

/** Keys under which training programs keep a network's tensors, the likeliest first. */
const HOLDERS = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "net",
  "network",
  "network_weights",
  "params",
  "weights",
];

interface StateDict {
  readonly tensors: ReadonlyMap<string, TensorReference>;
  /** Sentences on what was left out or changed. */
  readonly notes: readonly string[];
}

/** Finds the tensors by name in what a file holds. Throws CheckpointError when there are none. */
export function findStateDict(root: Item, label: string): StateDict {
  const notes: string[] = [];
  let found = root;
  for (let depth = 0; depth < 4 && found instanceof Dict; depth++) {
    const key = holderOf(found);
    if (key === undefined) break;
    notes.push(`the tensors are those under "${key}"`);
    found = found.entries.get(key) ?? null;
  }
  const tensors = found instanceof Dict ? tensorsOf(found) : new Map<string, TensorReference>();
  if (tensors.size === 0) {
    const keys = root instanceof Dict ? [...root.entries.keys()].slice(0, 20).map(String).join(", ") : "no dict";
    throw new CheckpointError(
      `${label} holds no tensors by name (its top level has: ${keys}); save model.state_dict()`,
    );
  }
  return { tensors: stripPrefixes(tensors, notes), notes };
}

/** The tensors that stand directly in a dict. */
function tensorsOf({ entries }: Dict): Map<string, TensorReference> {
  const tensors = new Map<string, TensorReference>();
  for (const [name, value] of entries) {
    if (typeof name === "string" && value instanceof TensorReference) tensors.set(name, value);
  }
  return tensors;
}

/** Where a dict keeps the network. Beside it may lie tensors of other kinds, such as a best score. */
function holderOf(dict: Dict): string | undefined {
  const dicts = [...dict.entries].filter(([key, value]) => typeof key === "string" && value instanceof Dict);
  const keys = dicts.map(([key]) => String(key));
  const known = HOLDERS.find((key) => keys.includes(key));
  if (known !== undefined || tensorsOf(dict).size > 0) return known;
  return keys.length === 1 ? keys[0] : undefined;
}
