import { CheckpointError } from "../../errors.ts";
import { BYTES_PER_ELEMENT } from "../dtypes.ts";
import type { StoredTensor } from "../safetensors.ts";
import type { TensorReference } from "./pickle-values.ts";

/** What copies of tensors that do not lie row by row may take beyond the file's own size. */
const SPARE_BYTES = 2 ** 26;

/** Counts what is copied, so that a small file cannot ask for much memory. */
export class CopyBudget {
  readonly #label: string;
  #left: number;
  constructor(label: string, fileBytes: number) {
    this.#label = label;
    this.#left = 4 * fileBytes + SPARE_BYTES;
  }

  spend(name: string, bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) {
      throw new CheckpointError(
        `${this.#label}: the tensor ${name} would take ${bytes} bytes, far more than the file holds`,
      );
    }
  }
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Throws CheckpointError when the tensor reaches beyond its storage. Nothing is allocated before. */
export function checkExtent(label: string, name: string, { storage, offset, shape, strides }: TensorReference): void {
  const reach = shape.reduce((sum, extent, axis) => sum + (extent - 1) * (strides[axis] ?? 0), offset);
  const empty = count(shape) === 0;
  if (Number.isSafeInteger(count(shape)) && shape.length <= 16 && (empty || reach < storage.count)) return;
  throw new CheckpointError(
    `${label}: the tensor ${name} of size [${shape}], stride [${strides}] and offset ${offset} does not fit its storage of ` +
      `${storage.count} elements`,
  );
}

/** The elements of a tensor row by row: a view of the storage's bytes where they lie so, else a copy. */
export function materialise(
  name: string,
  { storage, offset, shape, strides }: TensorReference,
  bytes: Uint8Array,
  budget: CopyBudget,
): StoredTensor {
  const unit = BYTES_PER_ELEMENT[storage.dtype];
  const total = count(shape);
  const start = storage.offset + offset;
  if (total === 0) return { dtype: storage.dtype, shape, bytes: new Uint8Array(0) };
  if (isRowMajor(shape, strides)) {
    return { dtype: storage.dtype, shape, bytes: bytes.subarray(start * unit, (start + total) * unit) };
  }
  budget.spend(name, total * unit);
  const out = new Uint8Array(total * unit);
  const index = shape.map(() => 0);
  let from = start;
  for (let to = 0; to < total; to++) {
    for (let b = 0; b < unit; b++) out[to * unit + b] = bytes[from * unit + b] ?? 0;
    from += advance(index, shape, strides);
  }
  return { dtype: storage.dtype, shape, bytes: out };
}

/** Moves to the next element in row-major order; returns how far that is in the storage. */
function advance(index: number[], shape: readonly number[], strides: readonly number[]): number {
  let move = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const at = (index[axis] ?? 0) + 1;
    const stride = strides[axis] ?? 0;
    if (at < (shape[axis] ?? 1)) {
      index[axis] = at;
      return move + stride;
    }
    index[axis] = 0;
    move -= (at - 1) * stride;
  }
  return move;
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}
