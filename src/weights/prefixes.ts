/** What wrappers put in front of every name: data parallel, compiled, the field of a training module. */
const PREFIXES = ["module.", "_orig_mod.", "model.", "net.", "network."];

/** The tensors without what every name begins with, if that is a wrapper's; each prefix adds a sentence to the notes. */
export function stripPrefixes<T>(tensors: Map<string, T>, notes: string[]): Map<string, T> {
  const names = [...tensors.keys()];
  const prefix = PREFIXES.find((start) => names.every((name) => name.startsWith(start)));
  if (prefix === undefined || names.length === 0) return tensors;
  notes.push(`every name began with "${prefix}", which is left out`);
  return stripPrefixes(new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])), notes);
}
