import { SvanetError } from "../errors.ts";

/** An attribute of a fixture's case is missing or of the wrong kind. */
export class AttributeError extends SvanetError {}

/** Attributes that only explain; no check reads them. */
const REMARKS: ReadonlySet<string> = new Set(["note"]);

/** The attributes of one case. Reading one consumes it; an attribute nobody reads is a failure of its file. */
export class Attributes {
  readonly #owner: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #taken = new Set<string>();

  constructor(owner: string, values: Readonly<Record<string, unknown>>) {
    this.#owner = owner;
    this.#values = new Map(Object.entries(values));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Any value, undefined when absent. */
  raw(key: string): unknown {
    this.#taken.add(key);
    return this.#values.get(key);
  }

  /** A finite number; AttributeError otherwise. */
  number(key: string): number {
    const value = this.raw(key);
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.#wrong(key, "a number", value);
    return value;
  }

  /** An integer; AttributeError otherwise. */
  integer(key: string): number {
    const value = this.number(key);
    if (!Number.isInteger(value)) throw this.#wrong(key, "an integer", value);
    return value;
  }

  text(key: string): string {
    const value = this.raw(key);
    if (typeof value !== "string") throw this.#wrong(key, "a text", value);
    return value;
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (typeof value !== "boolean") throw this.#wrong(key, "true or false", value);
    return value;
  }

  numbers(key: string): number[] {
    const value = this.raw(key);
    if (!Array.isArray(value) || !value.every((item) => typeof item === "number" && Number.isFinite(item))) {
      throw this.#wrong(key, "a list of numbers", value);
    }
    return value;
  }

  /** One of the given texts; AttributeError naming them otherwise. */
  choice<T extends string>(key: string, options: readonly T[]): T {
    const value = this.raw(key);
    const found = options.find((option) => option === value);
    if (found === undefined) throw this.#wrong(key, `one of ${options.join(", ")}`, value);
    return found;
  }

  /** Marks attributes that only explain as read, present or not. */
  remarks(...keys: string[]): void {
    for (const key of keys) this.#taken.add(key);
  }

  /** Names of the attributes nobody has read. */
  unread(): string[] {
    return [...this.#values.keys()].filter((key) => !this.#taken.has(key) && !REMARKS.has(key));
  }

  #wrong(key: string, expected: string, value: unknown): AttributeError {
    const found = value === undefined ? "it is missing" : `it is ${JSON.stringify(value)}`;
    return new AttributeError(`attribute "${key}" of case "${this.#owner}" should be ${expected}, but ${found}`);
  }
}
