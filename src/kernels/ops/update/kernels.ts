import { ShapeError } from "../../../errors.ts";
import { chunksOf, foldSums } from "../../shader/chunks.ts";
import { allWide, elementType, perInvocation, read, update, write } from "../../shader/shader.ts";
import type { Target } from "../../target.ts";
import type { Dispatch, LowerCall, Value } from "../../trace/op.ts";
import { type Shape, sameShape, sizeOf } from "../../trace/shape.ts";

/** Throws ShapeError unless every tensor named in `wanted` has that shape. */
export function mustBe(
  op: string,
  shapes: { readonly [name: string]: Shape },
  wanted: { readonly [name: string]: Shape },
): void {
  if (Object.entries(wanted).every(([name, shape]) => sameShape(shapes[name] ?? [], shape))) return;
  const list = (all: { readonly [name: string]: Shape }) =>
    Object.entries(all).map(([name, shape]) => `${name} [${shape}]`);
  throw new ShapeError(`${op}: ${list(shapes).join(", ")} must be ${list(wanted).join(", ")}`);
}

/** Infinities and NaNs have all exponent bits set. Compilers may take `x != x` for false, so bits are looked at. */
const EXPONENT = "const EXPONENT = 0x7f800000u;";

/** Sums of squares in chunks, then their sum. */
export function squares({ inputs: { x }, out, target, scratch }: LowerCall<"x", unknown>): Dispatch[] {
  const wide = allWide(x);
  const count = sizeOf(x.shape) / (wide ? 4 : 1);
  const { chunks, base, rest } = chunksOf(count, 1, target, 65536);
  const partials = scratch([chunks, 2]);
  const total = (name: string) => (wide ? `(${name}.x + ${name}.y) + (${name}.z + ${name}.w)` : name);
  return [
    perInvocation({
      label: "squaredNorm",
      target,
      count: chunks,
      type: elementType(wide),
      tensors: { x: read(x, wide), partials: write(partials) },
      sizes: { base, rest },
      functions: `alias U = ${wide ? "vec4u" : "u32"};\n${EXPONENT}`,
      body: `  let turns = args.base + select(0u, 1u, i < args.rest);
  var squares = T(0.0);
  var wrong = T(0.0);
  for (var turn = 0u; turn < turns; turn++) {
    let v = x_at(i + turn * args.count);
    let odd = (bitcast<U>(v) & U(EXPONENT)) == U(EXPONENT);
    squares += select(v * v, T(0.0), odd);
    wrong += select(T(0.0), T(1.0), odd);
  }
  partials_set(2u * i, ${total("squares")});
  partials_set(2u * i + 1u, ${total("wrong")});`,
    }),
    ...foldSums({
      label: "squaredNorm",
      target,
      scratch,
      partials,
      parts: chunks,
      outer: 1,
      columns: 2,
      outs: [out],
    }),
  ];
}

/** How a loss scale moves; see {@link judgeScaledStep}. */
export const LOSS_SCALE_RULE = { first: 65536, least: 1, most: 2 ** 24, goodSteps: 2000 } as const;

interface Judged {
  readonly label: string;
  readonly target: Target;
  readonly control: Value;
  readonly totals: Value;
  readonly loss: Value;
  readonly rate: Value;
  /** [2]: what gradients are multiplied by, and the good steps since it changed. */
  readonly scale?: Value;
  readonly clipNorm: number | null;
}

/** Text that moves the loss scale after a bad step and after a good one. */
const MOVE_SCALE = {
  bad: `    scale_set(0u, max(0.5 * scale_at(0u), args.least));
    scale_set(1u, 0.0);`,
  good: `  let good = scale_at(1u) + 1.0;
  let grows = good >= args.good_steps;
  scale_set(0u, select(scale_at(0u), min(2.0 * scale_at(0u), args.most), grows));
  scale_set(1u, select(good, 0.0, grows));`,
};

export function judgement({ label, target, control, totals, loss, rate, scale, clipNorm }: Judged): Dispatch[] {
  const { least, most, goodSteps } = LOSS_SCALE_RULE;
  return [
    perInvocation({
      label,
      target,
      count: 1,
      type: "f32",
      tensors: {
        control: update(control),
        totals: read(totals),
        loss: read(loss),
        rate: read(rate),
        ...(scale ? { scale: update(scale) } : {}),
      },
      floats: { clip: clipNorm ?? 3e38, ...(scale ? { least, most, good_steps: goodSteps } : {}) },
      functions: `${EXPONENT}\nfn odd(v: f32) -> bool { return (bitcast<u32>(v) & EXPONENT) == EXPONENT; }`,
      body: `  let squares = totals_at(0u);
  if (odd(squares) || totals_at(1u) != 0.0 || odd(loss_at(0u))) {
    control_set(0u, 1u);
    control_set(1u, control_at(1u) + 1u);
    control_set(2u, 0u);
    control_set(3u, EXPONENT);
${scale ? MOVE_SCALE.bad : ""}
    return;
  }
  let factor = rate_at(1u)${scale ? " / scale_at(0u)" : ""};
  let norm = sqrt(squares) * factor;
  control_set(0u, 0u);
  control_set(2u, bitcast<u32>(factor * min(1.0, args.clip / (norm + 1e-6))));
  control_set(3u, bitcast<u32>(norm));
${scale ? MOVE_SCALE.good : ""}`,
    }),
  ];
}
