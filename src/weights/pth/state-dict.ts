import { CheckpointError } from "../../errors.ts";
import { Dict, type Item, TensorReference } from "./pickle-values.ts";

/** Keys under which training programs keep a network's tensors, the likeliest first. */
const HOLDERS = ["state_dict", "model_state_dict", "model", "net", "network", "network_weights", "params", "weights"];
/** What wrappers put in front of every name: data parallel, compiled. */
const PREFIXES = ["module.", "_orig_mod."];

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TensorReference>;
  /** Sentences on what was left out or changed. */
  readonly notes: readonly string[];
}

/** Finds the tensors by name in what a file holds. Throws CheckpointError when there are none. */
export function findStateDict(root: Item, label: string): StateDict {
  const notes: string[] = [];
  let found = root;
  for (let depth = 0; depth < 4 && found instanceof Dict && tensorsOf(found).size === 0; depth++) {
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

function holderOf({ entries }: Dict): string | undefined {
  const known = HOLDERS.find((key) => entries.get(key) instanceof Dict);
  if (known !== undefined) return known;
  const dicts = [...entries].filter(([key, value]) => typeof key === "string" && value instanceof Dict);
  const [[only] = []] = dicts;
  return dicts.length === 1 && typeof only === "string" ? only : undefined;
}

function stripPrefixes(tensors: Map<string, TensorReference>, notes: string[]): Map<string, TensorReference> {
  let named = tensors;
  for (const prefix of PREFIXES) {
    if (![...named.keys()].every((name) => name.startsWith(prefix))) continue;
    named = new Map([...named].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
    notes.push(`every name began with "${prefix}", which is left out`);
  }
  return named;
}
