import { ShapeError } from "../errors.ts";
import type { StateEntry } from "../kernels/compile/state.ts";
import { random } from "../kernels/random.ts";
import { channelsLast, fromChannelsLast, type Shape, sizeOf, toChannelsLast } from "../kernels/trace/shape.ts";
import { parameterKey } from "./keys.ts";

/** Trained, followed by running averages, or a host-side map of regions that the draws of a step are made from. */
type ParameterKind = "weight" | "statistic" | "region";

/** Where a parameter's first numbers come from. `integer` draws whole numbers 0 .. count-1. */
export type Initialiser =
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "integer"; readonly count: number };

/** A stretch of a parameter along its first axis, stored as a tensor of its own. */
interface StoragePart {
  readonly key: string;
  /** In our order: axis 1 last. */
  readonly shape: Shape;
  /** In PyTorch's order. */
  readonly torchShape: Shape;
  /** Where it begins in the PyTorch tensor, in elements. */
  readonly offset: number;
}

export interface Parameter {
  /** As in a PyTorch state dict. */
  readonly name: string;
  /** As in a PyTorch state dict. */
  readonly shape: Shape;
  readonly kind: ParameterKind;
  readonly init: Initialiser;
  /** Depth level of the encoder, 0 next to the image; null behind the encoder. */
  readonly level: number | null;
  /** Its tensors on the device; none for a region map. */
  readonly parts: readonly StoragePart[];
}

/** Uniform in +-1/sqrt(fan in): PyTorch's start of convolutions and linear layers. `shape` is PyTorch's. */
export function uniformByFan(shape: Shape): Initialiser {
  return { kind: "uniform", bound: 1 / Math.sqrt(sizeOf(shape.slice(1))) };
}

export type EncoderLevels = readonly (readonly string[])[];

/** Whether a name is `prefix` or, at a dot, begins with it: `stage.1` holds `stage.1.conv`, not `stage.10`. */
export function isWithin(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}.`);
}

/** Everything a network remembers between runs, by name. Traces of one network share a table; it owns no numbers. */
export class ParameterTable {
  /** Prefixes of the encoder's names, a list for each depth level, from the image on. */
  readonly levels: EncoderLevels;
  readonly #entries = new Map<string, Parameter>();

  constructor(levels: EncoderLevels = []) {
    this.levels = levels;
  }

  /**
   * Adds a parameter or finds it again. `split` lists extents that sum to the first axis: each becomes a tensor of its
   * own, so that a fused PyTorch weight can be read as several.
   */
  declare(name: string, shape: Shape, kind: ParameterKind, init: Initialiser, split?: readonly number[]): Parameter {
    const known = this.#entries.get(name);
    if (!known) {
      const found = this.levels.findIndex((prefixes) => prefixes.some((prefix) => isWithin(name, prefix)));
      const level = found < 0 ? null : found;
      const made = {
        name,
        shape,
        kind,
        init,
        level,
        parts: kind === "region" ? [] : partsOf(name, shape, kind, split),
      };
      this.#entries.set(name, made);
      return made;
    }
    if (known.kind !== kind || known.shape.join() !== shape.join()) {
      throw new ShapeError(`${known.kind} ${name} is [${known.shape}] and cannot also be a ${kind} of [${shape}]`);
    }
    return known;
  }

  get(name: string): Parameter {
    const found = this.#entries.get(name);
    if (!found) throw new ShapeError(`the network has no parameter ${name}`);
    return found;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** All entries in the order of declaration, or those of one kind. */
  list(kind?: ParameterKind): readonly Parameter[] {
    const all = [...this.#entries.values()];
    return kind ? all.filter((entry) => entry.kind === kind) : all;
  }

  /** What to allocate for a kind, ready for {@link StateStore.allocate}. */
  storage(kind: ParameterKind): readonly StateEntry[] {
    return this.list(kind).flatMap(({ parts }) => parts.map(({ key, shape }) => ({ key, shape })));
  }

  /** Number of trained values whose names begin with `prefix`. */
  count(prefix = ""): number {
    return this.list("weight").reduce((sum, { name, shape }) => sum + (name.startsWith(prefix) ? sizeOf(shape) : 0), 0);
  }

  /** PyTorch's numbers of a parameter as what to write under each storage key. */
  toStorage(name: string, data: Float32Array): Map<string, Float32Array> {
    const { parts, shape } = this.get(name);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError(`${name} is [${shape}] and takes ${sizeOf(shape)} numbers, not ${data.length}`);
    }
    return new Map(
      parts.map(({ key, torchShape, offset }) => {
        const slice = data.subarray(offset, offset + sizeOf(torchShape));
        return [key, toChannelsLast(slice, torchShape)] as const;
      }),
    );
  }

  /** The inverse: PyTorch's numbers from the stored tensors, which `read` finds by key. */
  fromStorage(name: string, read: (key: string) => Float32Array | undefined): Float32Array {
    const { parts, shape } = this.get(name);
    const out = new Float32Array(sizeOf(shape));
    for (const { key, torchShape, offset } of parts) {
      const stored = read(key);
      if (!stored) throw new ShapeError(`nothing is stored under ${key}`);
      out.set(fromChannelsLast(stored, torchShape), offset);
    }
    return out;
  }
}

function partsOf(name: string, shape: Shape, kind: ParameterKind, split?: readonly number[]): StoragePart[] {
  const [first = 1, ...rest] = shape;
  const extents = split ?? [first];
  if (extents.reduce((sum, extent) => sum + extent, 0) !== first) {
    throw new ShapeError(`${name} is [${shape}] and cannot be split into ${extents.join(" + ")} along its first axis`);
  }
  const stem = parameterKey(kind, name);
  let offset = 0;
  return extents.map((extent, i) => {
    const torchShape = [extent, ...rest];
    const part = { key: split ? `${stem}/${i}` : stem, shape: channelsLast(torchShape), torchShape, offset };
    offset += sizeOf(torchShape);
    return part;
  });
}

/** A parameter's first numbers in PyTorch's order: a function of the seed and its name alone. */
export function initialValues({ name, shape, init }: Pick<Parameter, "name" | "shape" | "init">, seed: number) {
  const out = new Float32Array(sizeOf(shape));
  if (init.kind === "constant") return out.fill(init.value);
  const walk = random(seed, `init:${name}`);
  for (let i = 0; i < out.length; i++) {
    if (init.kind === "uniform") out[i] = (2 * walk.uniform() - 1) * init.bound;
    else if (init.kind === "normal") out[i] = walk.normal() * init.deviation;
    else out[i] = walk.integer(init.count);
  }
  return out;
}

/** The region maps of a fresh network, by name. */
export function initialRegions(table: ParameterTable, seed: number): Map<string, Int32Array> {
  return new Map(table.list("region").map((entry) => [entry.name, Int32Array.from(initialValues(entry, seed))]));
}
