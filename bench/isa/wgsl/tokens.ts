const TOKEN =
  /\s+|\/\/[^\n]*|0[xX][0-9a-fA-F]+[ui]?|(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?[fh]?|\d+[eE][-+]?\d+[fh]?|\d+[uifh]?|[A-Za-z_]\w*|&&|\|\||[-+*/%&|^<>=!]=|<<|\+\+|--|->|[-+*/%&|^~!<>=(){}[\],;:.@]/gy;

/** Words of a WGSL text, without spaces and comments. ">>" stays two words, because it may close two templates. */
export function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const [token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw new Error(`WGSL has an unknown sign at ${at}: ${text.slice(at, at + 20)}`);
    if (!/^(?:\s|\/\/)/.test(token)) tokens.push(token);
  }
  return tokens;
}

/** A cursor over words. */
export class Tokens {
  readonly #words: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#words = tokensOf(text);
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  peek(ahead = 0): string {
    return this.#words[this.#at + ahead] ?? "";
  }

  next(): string {
    return this.#words[this.#at++] ?? "";
  }

  /** Takes a word if it comes next. */
  take(word: string): boolean {
    if (this.peek() !== word) return false;
    this.#at++;
    return true;
  }

  expect(word: string): void {
    const got = this.next();
    if (got === word) return;
    const near = this.#words.slice(Math.max(0, this.#at - 8), this.#at + 4).join(" ");
    throw new Error(`WGSL: "${word}" was to come instead of "${got}" in: ${near}`);
  }

  /** Skips `<...>` if it comes next, whatever stands in it, and returns its words. */
  template(): string[] {
    const words: string[] = [];
    if (this.peek() !== "<") return words;
    let depth = 0;
    do {
      const word = this.next();
      if (word === "<") depth++;
      else if (word === ">") depth--;
      else if (word === ">=" || this.done) throw new Error("WGSL: a template does not end");
      words.push(word);
    } while (depth > 0);
    return words.slice(1, -1);
  }
}
