import { basename } from "node:path";
import { CheckpointError } from "../../errors.ts";
import type { Dtype } from "../dtypes.ts";
import {
  Dict,
  type Item,
  Known,
  Opaque,
  type Storage,
  StorageReference,
  TensorReference,
  Tuple,
} from "./pickle-values.ts";

/** Storage classes by name; an untyped one counts bytes. */
export const STORAGE_TYPES: Readonly<Record<string, Dtype>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.storage.UntypedStorage": "U8",
  "torch.UntypedStorage": "U8",
};

const ELEMENT_TYPES: Readonly<Record<string, Dtype>> = {
  "torch.float64": "F64",
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.uint32": "U32",
  "torch.int16": "I16",
  "torch.uint16": "U16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.bool": "BOOL",
};

function sizes(item: Item | undefined, what: string): number[] {
  const items = item instanceof Tuple ? item.items : [];
  const numbers = items.filter((value): value is number => typeof value === "number");
  if (
    !(item instanceof Tuple) ||
    numbers.length !== items.length ||
    numbers.some((n) => !Number.isSafeInteger(n) || n < 0)
  ) {
    throw new CheckpointError(`a tensor's ${what} is not a tuple of whole numbers`);
  }
  return numbers;
}

function tensor(storage: Storage, [offset, shape, strides]: readonly Item[]): TensorReference {
  if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0) {
    throw new CheckpointError("a tensor's offset is not a whole number");
  }
  const [extents, steps] = [sizes(shape, "size"), sizes(strides, "stride")];
  if (extents.length !== steps.length) throw new CheckpointError("a tensor's size and stride differ in length");
  return new TensorReference(storage, offset, extents, steps);
}

function storageOf(item: Item | undefined): Storage {
  if (item instanceof StorageReference) return item.storage;
  throw new CheckpointError("a tensor is built from what is no storage");
}

function tensorOf(item: Item | undefined): Item {
  if (item instanceof TensorReference) return item;
  throw new CheckpointError("a parameter is built from what is no tensor");
}

/** As PyTorch 1.x and 2.x write it. The last argument marks lazy views whose numbers are not those of the storage. */
function rebuildV2([storage, offset, shape, strides, , , marks]: readonly Item[]): Item {
  const marked = marks instanceof Dict ? [...marks.entries].find(([, value]) => value === true)?.[0] : undefined;
  if (marked !== undefined) {
    throw new CheckpointError(
      `a tensor is a view marked "${String(marked)}"; save a copy: tensor.resolve_neg().resolve_conj().clone()`,
    );
  }
  return tensor(storageOf(storage), [offset ?? null, shape ?? null, strides ?? null]);
}

/** A tensor whose element type is named beside an untyped storage. */
function rebuildV3([storage, offset, shape, strides, , , type]: readonly Item[]): Item {
  const dtype = type instanceof Known ? ELEMENT_TYPES[type.name] : undefined;
  if (!dtype) throw new CheckpointError("a tensor has an element type that is not read");
  return tensor({ ...storageOf(storage), dtype }, [offset ?? null, shape ?? null, strides ?? null]);
}

function orderedDict(args: readonly Item[]): Dict {
  if (args.length > 0) throw new CheckpointError("an ordered dict is built from arguments, which PyTorch never writes");
  return new Dict();
}

const opaque = (name: string) => new Known(name, () => new Opaque(name));

const KNOWN = new Map<string, Known>(
  [
    new Known("collections.OrderedDict", orderedDict),
    new Known("torch._utils._rebuild_tensor", ([storage, ...rest]) => tensor(storageOf(storage), rest)),
    new Known("torch._utils._rebuild_tensor_v2", rebuildV2),
    new Known("torch._utils._rebuild_tensor_v3", rebuildV3),
    new Known("torch._utils._rebuild_parameter", ([data]) => tensorOf(data)),
    new Known("torch._utils._rebuild_parameter_with_state", ([data]) => tensorOf(data)),
    new Known("torch.Size", ([items]) => new Tuple(sizes(items, "size"))),
    // Numbers beside the tensors: a best score, a device.
    opaque("torch.device"),
    opaque("numpy.dtype"),
    opaque("numpy.core.multiarray.scalar"),
    opaque("numpy._core.multiarray.scalar"),
    opaque("_codecs.encode"),
    ...[...Object.keys(STORAGE_TYPES), ...Object.keys(ELEMENT_TYPES)].map((name) => new Known(name)),
  ].map((known) => [known.name, known]),
);

/**
 * The value that a global named in a file of tensors becomes; nothing of Python runs. Throws CheckpointError that
 * names one which is not on the list.
 */
export function knownGlobal(label: string, module: string, name: string): Item {
  const full = `${module}.${name}`;
  const known = KNOWN.get(full);
  if (known) return known;
  throw new CheckpointError(
    `${label} names ${full}, which is refused: only tensors and plain values are read and no code is run. ` +
      'Save the tensors alone, in Python: torch.save(model.state_dict(), "weights.pth"), or where only this file is at ' +
      `hand and you trust it: torch.save(torch.load("${basename(label)}", weights_only=False)["state_dict"], "weights.pth") ` +
      "with the key it keeps them under",
  );
}
