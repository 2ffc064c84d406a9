/** How a public file's names belong to ours. */
export interface NameMap {
  /** As in "names as in LABEL". */
  readonly label: string;
  /** Our name of one of the file's tensors; undefined when the map has no rule for it. */
  readonly ours: (theirs: string, known: ReadonlySet<string>) => string | undefined;
  /** Tensors of such files that networks here have no place for. */
  readonly unused: readonly Unused[];
  /** Of our names those that a file of a backbone alone fills. */
  readonly backbone: RegExp;
  /** Of our names those with a row for every class, where such files may have one row: foreground against background. */
  readonly classRows?: RegExp;
}

/** Tensors that are left out, and what they are, as in "left out 2 tensors of WHAT". */
export interface Unused {
  readonly names: RegExp;
  readonly what: string;
}

export type Rule = readonly [pattern: RegExp, name: (...groups: string[]) => string];

/** Our name by the first rule whose pattern the name matches. */
export function byRules(name: string, rules: readonly Rule[]): string | undefined {
  for (const [pattern, make] of rules) {
    const found = pattern.exec(name);
    if (found) return make(...found.slice(1));
  }
  return undefined;
}

/** As {@link byRules}, for the rest of a name that begins with `prefix`. */
export function within(prefix: string, name: string, rules: readonly Rule[]): string | undefined {
  return name.startsWith(prefix) ? byRules(name.slice(prefix.length), rules) : undefined;
}

export const ENCODER = /^encoder\./;
/** `conv` or `bn`. */
export const kindOf = (kind: string): string => (kind === "conv" ? "conv" : "norm");
/** Position in a sequence of convolution and norm. */
export const kindAt = (index: string | number): string => (Number(index) === 0 ? "conv" : "norm");
/** Position in a sequence of convolution, norm and activation, repeated: which convolution, and which of its layers. */
export const tripleAt = (index: string): string => `${Math.floor(Number(index) / 3)}.${kindAt(Number(index) % 3)}`;
export const less = (digit: string, by = 1): number => Number(digit) - by;
