import { random } from "../kernels/random.ts";
import type { DType } from "../kernels/trace/op.ts";
import { type Shape, sizeOf } from "../kernels/trace/shape.ts";

export type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** An input of a case: its shape and element type, and the numbers in it, a function of a seed. */
export interface Drawn {
  readonly shape: Shape;
  readonly dtype: DType;
  numbers(seed: number): Words;
}

/** Evenly spread numbers in -1 .. 1, a function of the seed. */
export function randomFloats(seed: number, count: number): Float32Array<ArrayBuffer> {
  const walk = random(seed, "noise");
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = 2 * walk.uniform() - 1;
  return out;
}

export interface Spread {
  /** Half the width of the range; 1 when left out. */
  readonly scale?: number;
  /** Its middle; 0 when left out. */
  readonly centre?: number;
  /** Places where the op's slope jumps: no number is nearer to them than {@link KINK}. */
  readonly kinks?: readonly number[];
}

/** Differences of a definition are taken over a step far smaller than this. */
const KINK = 1e-3;

/** Numbers spread evenly over a range. */
export function noise(shape: Shape, { scale = 1, centre = 0, kinks = [] }: Spread = {}): Drawn {
  const away = (v: number): number => {
    const near = kinks.find((kink) => Math.abs(v - kink) < KINK);
    return near === undefined ? v : near + (v < near ? -KINK : KINK);
  };
  return {
    shape,
    dtype: "f32",
    numbers: (seed) => randomFloats(seed, sizeOf(shape)).map((v) => away(centre + scale * v)),
  };
}

/** Labels from 0 to `classes` - 1, of which a share is replaced by `ignored`. */
export function labels(
  shape: Shape,
  classes: number,
  ignored: { readonly index: number; readonly share: number },
): Drawn {
  return whole(shape, (walk) => (walk.uniform() < ignored.share ? ignored.index : walk.integer(classes)));
}

/** Integers, each by a draw of its own. */
export function whole(shape: Shape, draw: (walk: ReturnType<typeof random>) => number): Drawn {
  return {
    shape,
    dtype: "i32",
    numbers(seed) {
      const walk = random(seed, "labels");
      return Int32Array.from({ length: sizeOf(shape) }, () => draw(walk));
    },
  };
}

/** Each of 0 .. count - 1 once. */
export const permutation = (count: number): Drawn => ({
  shape: [count],
  dtype: "i32",
  numbers: (seed) => new Int32Array(random(seed, "order").permutation(count)),
});

/** Numbers that the case itself names. */
export function given(shape: Shape, number: (index: number) => number, dtype: Exclude<DType, "f16"> = "f32"): Drawn {
  const words = { f32: Float32Array, i32: Int32Array, u32: Uint32Array }[dtype];
  return {
    shape,
    dtype,
    numbers: () => new words(sizeOf(shape)).fill(0).map((_, index) => number(index)) as Words,
  };
}

/** Drawn numbers, some of which are changed. */
export const changed = (drawn: Drawn, change: (number: number, index: number) => number): Drawn => ({
  ...drawn,
  numbers: (seed) => drawn.numbers(seed).map(change) as Words,
});

/** The bits of a float32, as control words of a training step hold them. */
export const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

/** The float32 of such bits. */
export const floatOf = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0] ?? Number.NaN;
