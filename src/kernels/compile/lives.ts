/** How long a temporary tensor is in use: from its first step or dispatch to its last. */
export interface Life {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Follows tensors by id through steps or dispatches. */
export class Lives extends Map<number, Life> {
  touch(id: number, bytes: number, at: number): void {
    const life = this.get(id);
    this.set(id, { bytes, first: life?.first ?? at, last: Math.max(life?.last ?? at, at) });
  }
}

/** The most bytes in use at once; the last life ends at `end`. */
export function mostAtOnce(lives: Iterable<Life>, end: number): number {
  const changes = new Float64Array(end + 2);
  for (const { bytes, first, last } of lives) {
    changes[first] = (changes[first] ?? 0) + bytes;
    changes[last + 1] = (changes[last + 1] ?? 0) - bytes;
  }
  let now = 0;
  return changes.reduce((most, change) => {
    now += change;
    return Math.max(most, now);
  }, 0);
}
