import { float32, type StoredTensor, storeFloat32 } from "./safetensors.ts";

/**
 * A class output of one row as one of two, the background's in front. Its logit is 0 whatever the image shows, so that
 * the softmax of both is the sigmoid of the one. `name` decides what keeps a norm's row at 0.
 */
export function withBackground(name: string, tensor: StoredTensor): StoredTensor {
  const row = float32(tensor);
  const rows = new Float32Array(2 * row.length);
  if (name.endsWith(".running_var")) rows.fill(1, 0, row.length);
  rows.set(row, row.length);
  return storeFloat32(rows, [2, ...tensor.shape.slice(1)]);
}
