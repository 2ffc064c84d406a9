import { SvanetError } from "../errors.ts";
import { float32, int32, type SafetensorsContents, type StoredTensor } from "../weights/safetensors.ts";
import { Attributes } from "./attributes.ts";

/** A fixture does not hold what its format promises; the message names the tensor, case or attribute. */
export class FixtureError extends SvanetError {}

/** A golden tensor: row-major values of its shape. */
export interface FixtureTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface FloatTensor extends FixtureTensor {
  readonly data: Float32Array;
}

export interface IntTensor extends FixtureTensor {
  readonly data: Int32Array;
}

/** The tensors `<case>.<name>` and the attributes of one case. */
export class FixtureCase {
  readonly name: string;
  readonly attributes: Attributes;
  readonly #file: FixtureFile;

  constructor(file: FixtureFile, name: string) {
    this.#file = file;
    this.name = name;
    this.attributes = file.attributes(name);
  }

  has(name: string): boolean {
    return this.#file.has(`${this.name}.${name}`);
  }

  /** Names of the case's tensors without the case, in file order. Does not consume them. */
  names(): string[] {
    const prefix = `${this.name}.`;
    return this.#file.names(prefix).map((name) => name.slice(prefix.length));
  }

  /** Consumes a float tensor of this case; FixtureError when it is missing or holds integers. */
  float(name: string): FloatTensor {
    return this.#file.takeFloat(`${this.name}.${name}`);
  }

  /** Consumes an integer tensor of this case; FixtureError when it is missing or holds floats. */
  int(name: string): IntTensor {
    return this.#file.takeInt(`${this.name}.${name}`);
  }
}

/** A golden file's path, as reports name it, and what of it says which check applies. */
export interface FixtureName {
  readonly path: string;
  /** Name of the folder: ops, model, nets or metrics. */
  readonly folder: string;
  /** File name without extension; in ops/ it says which check applies. */
  readonly stem: string;
}

/**
 * One golden file, which remembers what was used. Whatever tensor, metadata entry or attribute no check asked for by the
 * end is a failure: a fixture cannot pass by being overlooked.
 */
export class FixtureFile {
  readonly path: string;
  readonly folder: string;
  readonly stem: string;
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #metadata: ReadonlyMap<string, string>;
  readonly #takenTensors = new Set<string>();
  readonly #takenMetadata = new Set<string>();
  readonly #readAttributes = new Map<string, Attributes>();

  constructor({ path, folder, stem }: FixtureName, { tensors, metadata }: SafetensorsContents) {
    this.path = path;
    this.folder = folder;
    this.stem = stem;
    this.#tensors = tensors;
    this.#metadata = metadata;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Names of all tensors that start with `prefix`, in file order. Does not consume them. */
  names(prefix = ""): string[] {
    return [...this.#tensors.keys()].filter((name) => name.startsWith(prefix));
  }

  /** Shape of a tensor without consuming it; FixtureError when it is missing. */
  shapeOf(name: string): readonly number[] {
    return this.#stored(name).shape;
  }

  /** Consumes a tensor of either type; FixtureError when it is missing. May be taken several times. */
  take(name: string): FixtureTensor {
    return this.#stored(name).dtype === "I32" ? this.takeInt(name) : this.takeFloat(name);
  }

  /** Consumes a float tensor; FixtureError when it is missing or of another type. */
  takeFloat(name: string): FloatTensor {
    const tensor = this.#typed(name, "F32");
    return { name, shape: tensor.shape, data: float32(tensor) };
  }

  /** Consumes an integer tensor; FixtureError when it is missing or of another type. */
  takeInt(name: string): IntTensor {
    const tensor = this.#typed(name, "I32");
    return { name, shape: tensor.shape, data: int32(tensor) };
  }

  /** Consumes all tensors whose names start with `prefix`, keyed by the rest of the name, in file order. */
  takeAll(prefix: string): Map<string, FixtureTensor> {
    return new Map(this.names(prefix).map((name) => [name.slice(prefix.length), this.take(name)]));
  }

  /** Consumes a metadata entry; FixtureError when it is missing. */
  text(key: string): string {
    const text = this.#metadata.get(key);
    if (text === undefined) throw new FixtureError(`the metadata has no entry "${key}"`);
    this.#takenMetadata.add(key);
    return text;
  }

  /** Consumes a metadata entry that holds JSON. */
  json(key: string): unknown {
    const text = this.text(key);
    try {
      return JSON.parse(text);
    } catch {
      throw new FixtureError(`the metadata entry "${key}" is not valid JSON`);
    }
  }

  /** Consumes metadata entries meant for human readers, present or not. */
  remarks(...keys: string[]): void {
    for (const key of keys) this.#takenMetadata.add(key);
  }

  /** Cases of an ops file: whatever the metadata describes or a tensor's name begins with. */
  caseNames(): string[] {
    const prefixes = this.names().map((name) => name.split(".", 1)[0] ?? name);
    return [...new Set([...this.#metadata.keys(), ...prefixes])];
  }

  /** Opens a case, consuming its metadata entry; FixtureError when that is missing or no JSON object. */
  case(name: string): FixtureCase {
    return new FixtureCase(this, name);
  }

  /** The attributes of a case: always the same object, which remembers what was read. */
  attributes(name: string): Attributes {
    const known = this.#readAttributes.get(name);
    if (known) return known;
    const value = this.json(name);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FixtureError(`the metadata entry "${name}" is not an object of attributes`);
    }
    const attributes = new Attributes(name, value as Record<string, unknown>);
    this.#readAttributes.set(name, attributes);
    return attributes;
  }

  /** Sentences about everything no check has consumed. */
  leftovers(): { readonly name: string; readonly message: string }[] {
    const of = (names: Iterable<string>, taken: ReadonlySet<string>, message: string) =>
      [...names].filter((name) => !taken.has(name)).map((name) => ({ name, message }));
    return [
      ...of(this.#tensors.keys(), this.#takenTensors, "tensor was consumed by no check"),
      ...of(this.#metadata.keys(), this.#takenMetadata, "metadata entry was consumed by no check"),
      ...[...this.#readAttributes].flatMap(([name, attributes]) =>
        attributes.unread().map((key) => ({ name, message: `attribute "${key}" was consumed by no check` })),
      ),
    ];
  }

  #stored(name: string): StoredTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new FixtureError(`tensor "${name}" is missing`);
    return tensor;
  }

  #typed(name: string, dtype: "F32" | "I32"): StoredTensor {
    const tensor = this.#stored(name);
    if (tensor.dtype !== dtype) throw new FixtureError(`tensor "${name}" has type ${tensor.dtype}, expected ${dtype}`);
    this.#takenTensors.add(name);
    return tensor;
  }
}
