import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { storeHalf } from "../../weights/half.ts";
import { float32, type StoredTensor } from "../../weights/safetensors.ts";

/** How a page's weights are stored. */
export const PAGE_PRECISIONS = ["f32", "f16"] as const;
export type PagePrecision = (typeof PAGE_PRECISIONS)[number];

/** Weights beyond it have no half-precision number. */
const LARGEST_HALF = 65504;

/**
 * A checkpoint as a page carries it: without the optimizer's state, in half precision with the weights of two and more
 * dimensions rounded. Biases, norms and their statistics, small beside them, keep single precision; so does a tensor with
 * values that half precision does not reach.
 */
export function pageCheckpoint({ path, facts, tensors }: Checkpoint, precision: PagePrecision): Checkpoint {
  const own = [...tensors].filter(([name]) => !name.startsWith("optimizer."));
  const stored = (tensor: StoredTensor) => (precision === "f16" ? halved(tensor) : tensor);
  return { path, facts, tensors: new Map(own.map(([name, tensor]) => [name, stored(tensor)])) };
}

function halved(tensor: StoredTensor): StoredTensor {
  if (tensor.dtype !== "F32" || tensor.shape.length < 2) return tensor;
  const values = float32(tensor);
  return values.every((value) => Math.abs(value) <= LARGEST_HALF) ? storeHalf(values, tensor.shape) : tensor;
}
