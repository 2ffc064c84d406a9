import type { Dtype } from "../dtypes.ts";

/** A storage of the file: `count` elements, of which a tensor may use a part. */
export interface Storage {
  readonly key: string;
  readonly dtype: Dtype;
  readonly count: number;
  /** Where a view of a storage begins in it, in elements (old files only). */
  readonly offset: number;
}

/** A tensor that has not been read: a window on a storage. Sizes and strides in elements. */
export class TensorReference {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

export class StorageReference {
  readonly storage: Storage;
  constructor(storage: Storage) {
    this.storage = storage;
  }
}

/** A global on the list. `call` is what REDUCE does with it. */
export class Known {
  readonly name: string;
  readonly call: ((args: readonly Item[]) => Item) | null;
  constructor(name: string, call: ((args: readonly Item[]) => Item) | null = null) {
    this.name = name;
    this.call = call;
  }
}

/** A value that holds no tensor and that nobody looks into: a device, a numpy scalar. */
export class Opaque {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export class Tuple {
  readonly items: readonly Item[];
  constructor(items: readonly Item[]) {
    this.items = items;
  }
}

export class List {
  readonly items: Item[] = [];
}

export class Dict {
  readonly entries = new Map<Item, Item>();
}

/** What a pickle is made of here. No class of Python is ever built: what is not a plain value stands for itself. */
export type Item =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tuple
  | List
  | Dict
  | Known
  | Opaque
  | StorageReference
  | TensorReference;
