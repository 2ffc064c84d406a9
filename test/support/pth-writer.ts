import { crc32 } from "node:zlib";

/** A window on a storage; several may share one. */
export interface TorchTensor {
  readonly storage: TorchStorage;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset?: number;
  readonly parameter?: boolean;
  /** What PyTorch says of a lazy view, such as `{ neg: true }`. */
  readonly marks?: { readonly [mark: string]: boolean };
}

export interface TorchStorage {
  /** As in `torch.FloatStorage`. */
  readonly type: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

export type Plain = null | boolean | number | string | TorchTensor | { readonly [key: string]: Plain };

/** A float32 tensor that lies row by row. */
export function floats(values: Float32Array, shape: readonly number[]): TorchTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return { storage: { type: "FloatStorage", count: values.length, bytes }, shape, strides };
}

const utf8 = new TextEncoder();

export class Pickler {
  readonly #out: number[] = [0x80, 2];
  /** Memo slots of texts and globals; torch's are the same objects every time. */
  readonly #known = new Map<string, number>();
  readonly storages: TorchStorage[] = [];
  readonly #legacy: boolean;
  #slots = 0;

  constructor(legacy = false) {
    this.#legacy = legacy;
  }

  #put(): void {
    const slot = this.#slots++;
    if (slot < 256) this.#out.push(0x71, slot);
    else this.#out.push(0x72, ...u32(slot));
  }

  #once(key: string, write: () => void): void {
    const slot = this.#known.get(key);
    if (slot === undefined) {
      write();
      this.#known.set(key, this.#slots);
      this.#put();
    } else if (slot < 256) this.#out.push(0x68, slot);
    else this.#out.push(0x6a, ...u32(slot));
  }

  #text(text: string): void {
    this.#once(`text:${text}`, () => {
      const bytes = utf8.encode(text);
      this.#out.push(0x58, ...u32(bytes.length), ...bytes);
    });
  }

  #global(module: string, name: string): void {
    this.#once(`global:${module}.${name}`, () => this.#out.push(0x63, ...utf8.encode(`${module}\n${name}\n`)));
  }

  #number(value: number): void {
    if (!Number.isInteger(value)) {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value);
      this.#out.push(0x47, ...new Uint8Array(view.buffer));
    } else if (value >= 0 && value < 256) this.#out.push(0x4b, value);
    else if (value >= 0 && value < 65536) this.#out.push(0x4d, value & 255, value >> 8);
    else this.#out.push(0x4a, ...u32(value));
  }

  #numbers(values: readonly number[]): void {
    if (values.length === 0) {
      this.#out.push(0x29);
      return;
    }
    if (values.length > 3) this.#out.push(0x28);
    for (const value of values) this.#number(value);
    this.#out.push(values.length > 3 ? 0x74 : 0x84 + values.length);
    this.#put();
  }

  #orderedDict(): void {
    this.#global("collections", "OrderedDict");
    this.#out.push(0x29, 0x52);
    this.#put();
  }

  #tensor({ storage, offset = 0, shape, strides, parameter, marks }: TorchTensor): void {
    if (parameter) {
      this.#global("torch._utils", "_rebuild_parameter");
      this.#out.push(0x28);
    }
    this.#global("torch._utils", "_rebuild_tensor_v2");
    this.#out.push(0x28, 0x28);
    this.#text("storage");
    this.#global("torch", storage.type);
    if (!this.storages.includes(storage)) this.storages.push(storage);
    this.#text(String(this.storages.indexOf(storage)));
    this.#text("cpu");
    this.#number(storage.count);
    if (this.#legacy) this.#out.push(0x4e);
    this.#out.push(0x74);
    this.#put();
    this.#out.push(0x51);
    this.#number(offset);
    this.#numbers(shape);
    this.#numbers(strides);
    this.#out.push(0x89);
    this.#orderedDict();
    if (marks) this.value(marks);
    this.#out.push(0x74);
    this.#put();
    this.#out.push(0x52);
    this.#put();
    if (!parameter) return;
    this.#out.push(0x88);
    this.#orderedDict();
    this.#out.push(0x74);
    this.#put();
    this.#out.push(0x52);
    this.#put();
  }

  /** Any value; a dict of tensors is an OrderedDict, as state dicts are. */
  value(item: Plain): this {
    if (item === null) this.#out.push(0x4e);
    else if (typeof item === "boolean") this.#out.push(item ? 0x88 : 0x89);
    else if (typeof item === "number") this.#number(item);
    else if (typeof item === "string") this.#text(item);
    else if (isTensor(item)) this.#tensor(item);
    else this.#dict(item);
    return this;
  }

  #dict(item: { readonly [key: string]: Plain }): void {
    const entries = Object.entries(item);
    if (entries.some(([, value]) => isTensor(value))) this.#orderedDict();
    else {
      this.#out.push(0x7d);
      this.#put();
    }
    for (let start = 0; start < entries.length; start += 1000) {
      this.#out.push(0x28);
      for (const [key, value] of entries.slice(start, start + 1000)) {
        this.#text(key);
        this.value(value);
      }
      this.#out.push(0x75);
    }
  }

  /** Raw opcodes, for what torch would never write. */
  raw(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#out.push(byte);
    return this;
  }

  /** A list of texts, as the older form ends with. */
  list(texts: readonly string[]): this {
    this.#out.push(0x5d);
    this.#put();
    this.#out.push(0x28);
    for (const text of texts) this.#text(text);
    this.#out.push(0x65);
    return this;
  }

  end(): Uint8Array {
    return Uint8Array.from([...this.#out, 0x2e]);
  }
}

function isTensor(item: Plain): item is TorchTensor {
  return typeof item === "object" && item !== null && "storage" in item && "strides" in item;
}

function u32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

const u16 = (value: number): number[] => [value & 255, value >> 8];

/**
 * torch.save of today, opcode by opcode (see test/oracle/pth_files.py): `archive/data.pkl`, `byteorder`, `data/N`,
 * `version`, each stored at a multiple of 64 bytes.
 */
export function zipFile(
  item: Plain,
  changes: { readonly pickle?: Uint8Array; readonly byteOrder?: string } = {},
): Uint8Array {
  const pickler = new Pickler().value(item);
  return zip(
    new Map([
      ["archive/data.pkl", changes.pickle ?? pickler.end()],
      ["archive/byteorder", utf8.encode(changes.byteOrder ?? "little")],
      ...pickler.storages.map(({ bytes }, i) => [`archive/data/${i}`, bytes] as const),
      ["archive/version", utf8.encode("3\n")],
    ]),
  );
}

export function zip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: number[] = [];
  let at = 0;
  const push = (bytes: Uint8Array): void => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [name, bytes] of entries) {
    const label = utf8.encode(name);
    const padding = (64 - ((at + 34 + label.length) % 64)) % 64;
    const extra = [0x46, 0x42, ...u16(padding), ...new Array<number>(padding).fill(0x5a)];
    const facts = [
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u16(0),
      ...u32(crc32(bytes)),
      ...u32(bytes.length),
      ...u32(bytes.length),
    ];
    directory.push(...u32(0x02014b50), ...u16(0), ...u16(0), ...facts, ...u16(label.length), ...u16(0), ...u16(0));
    directory.push(...u16(0), ...u16(0), ...u32(0), ...u32(at), ...label);
    push(
      Uint8Array.from([
        ...u32(0x04034b50),
        ...u16(0),
        ...facts,
        ...u16(label.length),
        ...u16(extra.length),
        ...label,
        ...extra,
      ]),
    );
    push(bytes);
  }
  const start = at;
  push(Uint8Array.from(directory));
  const count = u16(entries.size);
  const end = [
    ...u32(0x06054b50),
    ...u16(0),
    ...u16(0),
    ...count,
    ...count,
    ...u32(directory.length),
    ...u32(start),
    ...u16(0),
  ];
  push(Uint8Array.from(end));
  return Buffer.concat(parts);
}

/** torch.save before 1.6. */
export function legacyFile(item: Plain): Uint8Array {
  const object = new Pickler(true).value(item);
  const magic = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
  const machine = { protocol_version: 1001, little_endian: true, type_sizes: { short: 2, int: 4, long: 4 } };
  const storages = object.storages.flatMap(({ count, bytes }) => [Uint8Array.from([...u32(count), 0, 0, 0, 0]), bytes]);
  return Buffer.concat([
    new Pickler().raw(...magic).end(),
    new Pickler().value(1001).end(),
    new Pickler().value(machine).end(),
    object.end(),
    new Pickler().list(object.storages.map((_, i) => String(i))).end(),
    ...storages,
  ]);
}
