import type { Value } from "./values.ts";

/** Names of a block, and of the blocks round it. */
export class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | null;

  constructor(outer: Scope | null) {
    this.#outer = outer;
  }

  define(name: string, value: Value): void {
    this.#names.set(name, value);
  }

  has(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.has(name) ?? false);
  }

  get(name: string): Value {
    return this.#names.has(name) ? this.#names.get(name) : this.#outer?.get(name);
  }

  set(name: string, value: Value): void {
    if (this.#names.has(name) || this.#outer === null) this.#names.set(name, value);
    else this.#outer.set(name, value);
  }
}
