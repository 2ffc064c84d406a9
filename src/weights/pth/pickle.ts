import { CheckpointError } from "../../errors.ts";
import { Dict, type Item, Known, List, Opaque, TensorReference, Tuple } from "./pickle-values.ts";

export interface PickleRules {
  /** Names the file in messages. */
  readonly label: string;
  /** The value of a global; throws CheckpointError for one that is not on the list. */
  global(module: string, name: string): Item;
  /** The value of a persistent id: a storage. */
  persistent(id: Item): Item;
}

/** The bytes end inside the pickle: more of the file may help. */
export class PickleShortage extends CheckpointError {}

/**
 * Reads the pickle at `start`; `end` is the byte after it. The machine (PEP 307, PEP 3154) executes nothing: it has
 * the opcodes that PyTorch writes, and globals become values only when the caller's list has them. Everything else is
 * refused by name. Throws CheckpointError.
 */
export function readPickle(bytes: Uint8Array, start: number, rules: PickleRules): { value: Item; end: number } {
  return new Machine(bytes, start, rules).run();
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #rules: PickleRules;
  readonly #memo = new Map<number, Item>();
  #stack: Item[] = [];
  /** The stacks below each open mark. */
  readonly #below: Item[][] = [];
  #at: number;

  constructor(bytes: Uint8Array, start: number, rules: PickleRules) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#rules = rules;
  }

  run(): { value: Item; end: number } {
    for (;;) {
      const code = this.byte();
      if (code === 0x2e) return { value: this.pop(), end: this.#at };
      const act = OPCODES[code];
      if (!act) {
        const shown = code > 0x20 && code < 0x7f ? ` ("${String.fromCharCode(code)}")` : "";
        throw this.fail(
          `the pickle opcode 0x${code.toString(16)}${shown} at byte ${this.#at - 1} is not one that PyTorch writes`,
        );
      }
      act(this);
    }
  }

  fail(what: string): CheckpointError {
    return new CheckpointError(`${this.#rules.label}: ${what}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (!(length >= 0) || at + length > this.#bytes.length) {
      throw new PickleShortage(`${this.#rules.label} is truncated or damaged: its pickle ends too early`);
    }
    this.#at += length;
    return at;
  }

  byte = (): number => this.#view.getUint8(this.#take(1));
  u16 = (): number => this.#view.getUint16(this.#take(2), true);
  u32 = (): number => this.#view.getUint32(this.#take(4), true);
  i32 = (): number => this.#view.getInt32(this.#take(4), true);
  u64 = (): number => Number(this.#view.getBigUint64(this.#take(8), true));
  f64 = (): number => this.#view.getFloat64(this.#take(8), false);

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.raw(length));
  }

  /** A line of text as GLOBAL has it. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw new PickleShortage(`${this.#rules.label} is truncated or damaged: its pickle ends too early`);
    const text = this.text(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  /** A little-endian two's complement integer of any length. */
  long(length: number): number | bigint {
    const bytes = this.raw(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i] ?? 0);
    if (length > 0 && (bytes[length - 1] ?? 0) > 127) value -= 1n << BigInt(8 * length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  push(item: Item): void {
    this.#stack.push(item);
  }

  pop(): Item {
    const item = this.#stack.pop();
    if (item === undefined) throw this.fail("the pickle takes from an empty stack");
    return item;
  }

  mark(): void {
    this.#below.push(this.#stack);
    this.#stack = [];
  }

  /** What lies above the last mark. */
  popMark(): Item[] {
    const below = this.#below.pop();
    if (!below) throw this.fail("the pickle has no mark to go back to");
    const items = this.#stack;
    this.#stack = below;
    return items;
  }

  top(): Item {
    const item = this.#stack[this.#stack.length - 1];
    if (item === undefined) throw this.fail("the pickle looks at an empty stack");
    return item;
  }

  put(slot: number): void {
    this.#memo.set(slot, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
  }

  get(slot: number): void {
    const item = this.#memo.get(slot);
    if (item === undefined) throw this.fail(`the pickle refers to the memo ${slot}, which is empty`);
    this.push(item);
  }

  global(module: Item, name: Item): void {
    if (typeof module !== "string" || typeof name !== "string") throw this.fail("a global's name is not a text");
    this.push(this.#rules.global(module, name));
  }

  persistent(): void {
    this.push(this.#rules.persistent(this.pop()));
  }

  setItems(items: readonly Item[]): void {
    const target = this.top();
    if (!(target instanceof Dict) || items.length % 2 !== 0)
      throw this.fail("the pickle sets items of what is no dict");
    for (let i = 0; i < items.length; i += 2) target.entries.set(items[i] ?? null, items[i + 1] ?? null);
  }

  append(items: readonly Item[]): void {
    const target = this.top();
    if (!(target instanceof List)) throw this.fail("the pickle appends to what is no list");
    for (const item of items) target.items.push(item);
  }

  reduce(): void {
    const args = this.pop();
    const callable = this.pop();
    if (!(args instanceof Tuple)) throw this.fail("the pickle calls with what is no tuple");
    if (!(callable instanceof Known)) throw this.fail("the pickle calls a value that is no known global");
    if (!callable.call) throw this.fail(`the pickle calls ${callable.name}, which is refused`);
    try {
      this.push(callable.call(args.items));
    } catch (error) {
      throw error instanceof CheckpointError ? this.fail(error.message) : error;
    }
  }

  /** Attributes of what holds no code: an ordered dict's `_metadata`, a numpy type's layout. They are not needed. */
  build(): void {
    this.pop();
    const target = this.top();
    if (target instanceof Dict || target instanceof Opaque || target instanceof TensorReference) return;
    throw this.fail("the pickle sets the state of what is no dict or tensor");
  }
}

const tupleOf =
  (count: number) =>
  (m: Machine): void => {
    const items: Item[] = [];
    for (let i = 0; i < count; i++) items.unshift(m.pop());
    m.push(new Tuple(items));
  };

/** By opcode, named as in Python's pickletools. */
const OPCODES: Readonly<Record<number, (m: Machine) => void>> = {
  128: (m) => void m.byte(), // PROTO
  149: (m) => void m.u64(), // FRAME
  40: (m) => m.mark(), // MARK
  48: (m) => void m.pop(), // POP
  49: (m) => void m.popMark(), // POP_MARK
  78: (m) => m.push(null), // NONE
  136: (m) => m.push(true), // NEWTRUE
  137: (m) => m.push(false), // NEWFALSE
  74: (m) => m.push(m.i32()), // BININT
  75: (m) => m.push(m.byte()), // BININT1
  77: (m) => m.push(m.u16()), // BININT2
  138: (m) => m.push(m.long(m.byte())), // LONG1
  71: (m) => m.push(m.f64()), // BINFLOAT
  88: (m) => m.push(m.text(m.u32())), // BINUNICODE
  140: (m) => m.push(m.text(m.byte())), // SHORT_BINUNICODE
  141: (m) => m.push(m.text(m.u64())), // BINUNICODE8
  84: (m) => m.push(m.text(m.u32())), // BINSTRING
  85: (m) => m.push(m.text(m.byte())), // SHORT_BINSTRING
  66: (m) => m.push(m.raw(m.u32())), // BINBYTES
  67: (m) => m.push(m.raw(m.byte())), // SHORT_BINBYTES
  142: (m) => m.push(m.raw(m.u64())), // BINBYTES8
  41: tupleOf(0), // EMPTY_TUPLE
  133: tupleOf(1), // TUPLE1
  134: tupleOf(2), // TUPLE2
  135: tupleOf(3), // TUPLE3
  116: (m) => m.push(new Tuple(m.popMark())), // TUPLE
  93: (m) => m.push(new List()), // EMPTY_LIST
  97: (m) => m.append([m.pop()]), // APPEND
  101: (m) => m.append(m.popMark()), // APPENDS
  125: (m) => m.push(new Dict()), // EMPTY_DICT
  115: (m) => {
    const value = m.pop();
    m.setItems([m.pop(), value]);
  }, // SETITEM
  117: (m) => m.setItems(m.popMark()), // SETITEMS
  113: (m) => m.put(m.byte()), // BINPUT
  114: (m) => m.put(m.u32()), // LONG_BINPUT
  148: (m) => m.memoize(), // MEMOIZE
  104: (m) => m.get(m.byte()), // BINGET
  106: (m) => m.get(m.u32()), // LONG_BINGET
  99: (m) => m.global(m.line(), m.line()), // GLOBAL
  147: (m) => {
    const name = m.pop();
    m.global(m.pop(), name);
  }, // STACK_GLOBAL
  82: (m) => m.reduce(), // REDUCE
  98: (m) => m.build(), // BUILD
  81: (m) => m.persistent(), // BINPERSID
};
