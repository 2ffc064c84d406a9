const UNITS: Readonly<Record<string, string>> = { "1": "first", "2": "second", "3": "third" };

/**
 * The name below `encoder.` of a tensor of torchvision's ResNet-18, 34 or 50; null for one that the encoder has no
 * place for (the classifier, counters of batches); undefined when the name is not torchvision's.
 */
export function torchvisionName(name: string): string | null | undefined {
  if (name.startsWith("fc.") || name.endsWith("num_batches_tracked")) return null;
  if (name === "conv1.weight") return "stem.conv.weight";
  if (name.startsWith("bn1.")) return `stem.norm.${name.slice(4)}`;
  const found = /^layer([1-4])\.(\d+)\.(?:(conv|bn)([123])|downsample\.([01]))\.(\w+)$/.exec(name);
  if (!found) return undefined;
  const [, layer, block, kind, unit, skip, leaf] = found;
  const head = `stages.${Number(layer) - 1}.${block}`;
  if (skip !== undefined) return `${head}.skip.${skip === "0" ? "conv" : "norm"}.${leaf}`;
  return `${head}.${UNITS[unit ?? ""]}.${kind === "conv" ? "conv" : "norm"}.${leaf}`;
}
