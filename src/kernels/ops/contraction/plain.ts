import { epilogueText } from "../../shader/epilogue.ts";
import { elementwise, read } from "../../shader/shader.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { sizeOf } from "../../trace/shape.ts";
import { type Contraction, extents, geometrySizes, type Lowering } from "./contraction.ts";
import { sumSplits } from "./splits.ts";

/**
 * The contractions as their definitions say, one invocation an output element: any number of groups, any adapter, and
 * the explanation of what the tiled kernels compute. With a group a channel (depthwise) four channels go together.
 */
export const plainContraction: Lowering = (contraction) => {
  const { kind } = contraction;
  if (kind === "pair") return plainPair(contraction);
  const e = extents(contraction);
  const depthwise = isDepthwise(contraction);
  const wide = depthwise && e.k % 4 === 0;
  const gather = kind === "gather";
  const out = gather ? contraction.y : contraction.x;
  const { tensors, finish, functions } = plainEpilogue(contraction, wide);
  return [
    elementwise({
      label: `${kind} ${depthwise ? "depthwise" : "plain"}`,
      target: contraction.target,
      out,
      wide,
      tensors: {
        source: read(gather ? contraction.x : contraction.y, wide),
        // A depthwise weight [k, r, s, 1] has one channel a row, so four of them are gathered one by one.
        weight: read(contraction.weight),
        ...tensors,
      },
      sizes: plainSizes(contraction, wide ? 4 : 1),
      functions,
      body: depthwise ? depthwiseBody(gather, wide, finish) : groupedBody(gather, finish),
    }),
  ];
};

function isDepthwise(contraction: Contraction): boolean {
  const e = extents(contraction);
  return contraction.groups > 1 && contraction.groups === e.inC && e.k === e.inC;
}

function plainSizes(contraction: Contraction, unit: number): { [name: string]: number } {
  const e = extents(contraction);
  const { groups, taps, kind } = contraction;
  const gather = kind === "gather";
  return {
    H: gather ? e.oh : e.h,
    W: gather ? e.ow : e.w,
    C: (gather ? e.k : e.inC) / unit,
    srcH: gather ? e.h : e.oh,
    srcW: gather ? e.w : e.ow,
    srcC: (gather ? e.inC : e.k) / unit,
    tapsR: e.r,
    tapsS: e.s,
    ...taps,
    perGroupOut: e.k / groups,
    perGroupIn: e.inC / groups,
    ...geometrySizes(contraction),
  };
}

const POSITION = `  let c = i % args.C; let x_ = (i / args.C) % args.W;
  let y_ = (i / (args.C * args.W)) % args.H; let n = i / (args.C * args.W * args.H);`;

/** Opens the loops over the live taps; `sy`, `sx` are the source pixel, already known to be inside. */
function tapLoops(gather: boolean): string {
  const axis = (a: "y" | "x", tap: "r" | "s", extent: string) => {
    const padding = `args.padding${a.toUpperCase()}`;
    const stride = `args.stride${a.toUpperCase()}`;
    return gather
      ? `let s${a} = i32(${a}_ * ${stride} + ${tap} * args.dilation) - i32(${padding});
    if (s${a} < 0 || s${a} >= i32(args.${extent})) { continue; }`
      : `let d${a} = i32(${a}_ + ${padding}) - i32(${tap} * args.dilation);
    if (d${a} < 0 || d${a} % i32(${stride}) != 0) { continue; }
    let s${a} = d${a} / i32(${stride});
    if (s${a} >= i32(args.${extent})) { continue; }`;
  };
  return `  for (var r = args.r0; r < args.r1; r++) {
    ${axis("y", "r", "srcH")}
    for (var s = args.s0; s < args.s1; s++) {
    ${axis("x", "s", "srcW")}
      let pixel = ((n * args.srcH + u32(sy)) * args.srcW + u32(sx)) * args.srcC;
      let tap = r * args.tapsS + s;`;
}

function depthwiseBody(gather: boolean, wide: boolean, finish: string): string {
  const weight = wide
    ? "vec4f(weight_at((4u * c) * taps + tap), weight_at((4u * c + 1u) * taps + tap), weight_at((4u * c + 2u) * taps + tap), weight_at((4u * c + 3u) * taps + tap))"
    : "weight_at(c * taps + tap)";
  return `${POSITION}
  let taps = args.tapsR * args.tapsS;
  var sum = T(0.0);
${tapLoops(gather)}
      sum += source_at(pixel + c) * ${weight};
    }
  }
  return ${finish};`;
}

function groupedBody(gather: boolean, finish: string): string {
  const inner = gather
    ? `      let g = c / args.perGroupOut;
      for (var k = 0u; k < args.perGroupIn; k++) {
        sum += source_at(pixel + g * args.perGroupIn + k) * weight_at((c * args.tapsR * args.tapsS + tap) * args.perGroupIn + k);
      }`
    : `      let g = c / args.perGroupIn;
      for (var k = 0u; k < args.perGroupOut; k++) {
        let row = g * args.perGroupOut + k;
        sum += source_at(pixel + row) * weight_at((row * args.tapsR * args.tapsS + tap) * args.perGroupIn + c - g * args.perGroupIn);
      }`;
  return `${POSITION}
  var sum = 0.0;
${tapLoops(gather)}
${inner}
    }
  }
  return ${finish};`;
}

/** Tensors and text of a fused tail that sees `sum`, `c` and `i`. */
export function plainEpilogue({ epilogue }: Contraction, wide: boolean) {
  return epilogueText(epilogue, wide, { sum: "sum", at: "i" });
}

/** Weight gradient element by element, over chunks of image rows added in a second dispatch. */
function plainPair(contraction: Contraction): Dispatch[] {
  const e = extents(contraction);
  const { target, weight } = contraction;
  const lines = e.n * e.oh;
  const splits = Math.max(1, Math.min(64, Math.floor(lines / 8), Math.ceil(8192 / sizeOf(weight.shape))));
  const out: Value = splits > 1 ? contraction.scratch([splits, ...weight.shape]) : weight;
  const { groups } = contraction;
  const product = elementwise({
    label: "pair plain",
    target,
    out,
    wide: false,
    tensors: { y: read(contraction.y), x: read(contraction.x) },
    sizes: {
      perIn: e.inC / groups,
      perOut: e.k / groups,
      tapsR: e.r,
      tapsS: e.s,
      K: e.k,
      oh: e.oh,
      ow: e.ow,
      h: e.h,
      w: e.w,
      channels: e.inC,
      lines,
      linesPerSplit: Math.ceil(lines / splits),
      ...geometrySizes(contraction),
    },
    body: `  let c = i % args.perIn; let s = (i / args.perIn) % args.tapsS; let r = (i / (args.perIn * args.tapsS)) % args.tapsR;
  let k = (i / (args.perIn * args.tapsS * args.tapsR)) % args.K; let split = i / (args.perIn * args.tapsS * args.tapsR * args.K);
  let channel = (k / args.perOut) * args.perIn + c;
  var total = 0.0;
  for (var line = split * args.linesPerSplit; line < min((split + 1u) * args.linesPerSplit, args.lines); line++) {
    let n = line / args.oh;
    let y = i32((line - n * args.oh) * args.strideY + r * args.dilation) - i32(args.paddingY);
    if (y < 0 || y >= i32(args.h)) { continue; }
    var sum = 0.0;
    for (var ox = 0u; ox < args.ow; ox++) {
      let x = i32(ox * args.strideX + s * args.dilation) - i32(args.paddingX);
      if (x < 0 || x >= i32(args.w)) { continue; }
      sum += y_at((line * args.ow + ox) * args.K + k) * x_at(((n * args.h + u32(y)) * args.w + u32(x)) * args.channels + channel);
    }
    total += sum;
  }
  return total;`,
  });
  return splits > 1 ? [product, sumSplits(out, weight, splits, contraction)] : [product];
}
