import { random } from "../kernels/random.ts";

/** Evenly spread numbers in -1 .. 1, a function of the seed: enough for arithmetic whose speed is measured. */
export function randomFloats(seed: number, count: number): Float32Array<ArrayBuffer> {
  const walk = random(seed, "bench");
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = 2 * walk.uniform() - 1;
  return out;
}
