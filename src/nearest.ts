/** Levenshtein distance: the fewest insertions, deletions and replacements that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * The candidate a person most likely meant by `name`, or undefined when none is close: at most one edit for every three
 * characters, and at least two. Case and the separators `-`, `_` count as no difference.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_\s]/g, "");
  const wanted = plain(name);
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Whether two names differ in their number alone, and by more than a slip: `resnet101` is no misspelt `resnet18`. */
function isOtherNumber(one: string, two: string): boolean {
  const parts = (text: string) => [text.replace(/\d+/g, ""), text.replace(/\D+/g, "")];
  const [[word, number], [otherWord, otherNumber]] = [parts(one), parts(two)];
  return word === otherWord && editDistance(number ?? "", otherNumber ?? "") > 1;
}

/** The sentence that follows an unknown name: the nearest one, or all of them (`listed`, where there are too many). */
export function suggestion(name: string, candidates: readonly string[], listed = candidates): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined || isOtherNumber(name, nearest)
    ? `Known: ${listed.join(", ")}.`
    : `Did you mean ${nearest}?`;
}
