import { add, multiply, scale } from "../../kernels/ops/arithmetic.ts";
import { dropout } from "../../kernels/ops/dropout.ts";
import { leakyRelu } from "../../kernels/ops/leaky-relu.ts";
import { gelu, geluTanh, hardswish, relu, sigmoid, silu } from "../../kernels/ops/pointwise.ts";
import type { Op } from "../../kernels/trace/op.ts";
import type { Shape } from "../../kernels/trace/shape.ts";
import { ACTIVATIONS } from "../activation.ts";
import { checkOf, type Touch } from "../check.ts";
import { given, noise } from "../draw.ts";
import { at, type Elements, elements, indexOf, placeOf, type Tensor, type Tensors, within } from "../tensor.ts";

/** Channels by fours, which kernels take at once, and one too many for that. */
const CHANNELS = [8, 5];

const each = ({ shape, data }: Tensor, f: (x: number) => number): Elements => ({ shape, at: (i) => f(at(data, i)) });
const itself = ({ index }: { readonly index: number }) => [index];

/** An activation, on both sides of where its slope jumps. */
const activation = (op: Op<"x", unknown>, name: keyof typeof ACTIVATIONS, kinks: readonly number[] = []) =>
  checkOf(op, {
    expected: ({ x }) => [each(x, ACTIVATIONS[name])],
    touches: itself,
    cases: CHANNELS.map((c) => ({ inputs: { x: noise([3, 13, 7, c], { scale: 4, kinks }) } })),
  });

type Binary = (a: number, b: number) => number;

const spread = ({ x, y }: Tensors<"x" | "y">, f: Binary): Elements[] => [
  elements(x.shape, (place, index) => f(at(x.data, index), at(y.data, indexOf(y.shape, place)))),
];

/** Of x its own place, of y all places that it is spread to. */
function spreadTouches({ input, index, shapes: { y }, out }: Touch<"x" | "y", unknown>): Iterable<number> {
  if (input === "x") return [index];
  const place = placeOf(y, index);
  const along = (extent: number, axis: number) => {
    const here = place[axis] ?? 0;
    return y[axis] === 1 ? ([0, extent] as const) : ([here, here + 1] as const);
  };
  return within(out, out.map(along));
}

/** Every kind of second operand: whole, or of extent 1 in some axes. */
const PAIRS = CHANNELS.flatMap((c) => {
  const x = [3, 10, 6, c];
  const others: Shape[] = [x, [3, 1, 1, c], [1, 1, 1, c], [3, 1, 1, 1], [3, 10, 6, 1], [1, 10, 6, 1], [3, 1, 6, 1]];
  return others.map((y) => ({ inputs: { x, y } }));
});

/** Two rounds of the PCG permutation, as the kernel's contract has it. */
function scrambled(v: number): number {
  const state = (Math.imul(v, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

export const POINTWISE = {
  add: checkOf(add, { expected: (t) => spread(t, (a, b) => a + b), touches: spreadTouches, cases: PAIRS }),
  multiply: checkOf(multiply, {
    expected: (t) => spread(t, (a, b) => a * b),
    touches: spreadTouches,
    cases: PAIRS.map((one, i) => (i < 2 ? { ...one, fused: true as const } : one)),
  }),
  scale: checkOf(scale, {
    expected: ({ x }, { factor }) => [each(x, (v) => factor * v)],
    touches: itself,
    cases: CHANNELS.map((c) => ({ inputs: { x: [3, 13, 7, c] }, attrs: { factor: -0.375 } })),
  }),
  relu: activation(relu, "relu", [0]),
  silu: activation(silu, "silu"),
  gelu: activation(gelu, "gelu"),
  geluTanh: activation(geluTanh, "geluTanh"),
  sigmoid: activation(sigmoid, "sigmoid"),
  hardswish: activation(hardswish, "hardswish", [-3, 3]),
  leakyRelu: checkOf(leakyRelu, {
    expected: ({ x }, { slope }) => [each(x, (v) => (v > 0 ? v : slope * v))],
    touches: itself,
    cases: CHANNELS.map((c) => ({ inputs: { x: noise([3, 13, 7, c], { kinks: [0] }) }, attrs: { slope: 0.1 } })),
  }),
  dropout: checkOf(dropout, {
    expected: ({ x, seed }, { drop }) => {
      const start = scrambled(at(seed.data, 0));
      const dropped = (i: number) => (scrambled((i ^ start) >>> 0) >>> 8) / 2 ** 24 < Math.fround(drop);
      return [{ shape: x.shape, at: (i) => (dropped(i) ? 0 : at(x.data, i) / (1 - drop)) }];
    },
    constants: ["seed"],
    touches: itself,
    cases: [0, 0.1, 0.75].map((drop, i) => ({
      inputs: { x: [3, 10, 7, 5], seed: given([1], () => 8_388_609 + i) },
      attrs: { drop },
    })),
  }),
};
