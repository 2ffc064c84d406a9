import { ACTIVATIONS } from "../../shader/activation.ts";
import { elementwise, read, type TensorUse } from "../../shader/shader.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { sizeOf } from "../../trace/shape.ts";
import { type Contraction, extents, geometrySizes, type Lowering } from "./contraction.ts";
import { sumSplits } from "./pair.ts";

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

export function isDepthwise(contraction: Contraction): boolean {
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

const POSITION = `  let c = i % size.C; let x_ = (i / size.C) % size.W;
  let y_ = (i / (size.C * size.W)) % size.H; let n = i / (size.C * size.W * size.H);`;

/** Opens the loops over the live taps; `sy`, `sx` are the source pixel, already known to be inside. */
function tapLoops(gather: boolean): string {
  const axis = (a: "y" | "x", tap: "r" | "s", extent: string) => {
    const padding = `size.padding${a.toUpperCase()}`;
    const stride = `size.stride${a.toUpperCase()}`;
    return gather
      ? `let s${a} = i32(${a}_ * ${stride} + ${tap} * size.dilation) - i32(${padding});
    if (s${a} < 0 || s${a} >= i32(size.${extent})) { continue; }`
      : `let d${a} = i32(${a}_ + ${padding}) - i32(${tap} * size.dilation);
    if (d${a} < 0 || d${a} % i32(${stride}) != 0) { continue; }
    let s${a} = d${a} / i32(${stride});
    if (s${a} >= i32(size.${extent})) { continue; }`;
  };
  return `  for (var r = size.r0; r < size.r1; r++) {
    ${axis("y", "r", "srcH")}
    for (var s = size.s0; s < size.s1; s++) {
    ${axis("x", "s", "srcW")}
      let pixel = ((n * size.srcH + u32(sy)) * size.srcW + u32(sx)) * size.srcC;
      let tap = r * size.tapsS + s;`;
}

function depthwiseBody(gather: boolean, wide: boolean, finish: string): string {
  const weight = wide
    ? "vec4f(weight_at((4u * c) * taps + tap), weight_at((4u * c + 1u) * taps + tap), weight_at((4u * c + 2u) * taps + tap), weight_at((4u * c + 3u) * taps + tap))"
    : "weight_at(c * taps + tap)";
  return `${POSITION}
  let taps = size.tapsR * size.tapsS;
  var sum = T(0.0);
${tapLoops(gather)}
      sum += source_at(pixel + c) * ${weight};
    }
  }
  return ${finish};`;
}

function groupedBody(gather: boolean, finish: string): string {
  const inner = gather
    ? `      let g = c / size.perGroupOut;
      for (var k = 0u; k < size.perGroupIn; k++) {
        sum += source_at(pixel + g * size.perGroupIn + k) * weight_at((c * size.tapsR * size.tapsS + tap) * size.perGroupIn + k);
      }`
    : `      let g = c / size.perGroupIn;
      for (var k = 0u; k < size.perGroupOut; k++) {
        let row = g * size.perGroupOut + k;
        sum += source_at(pixel + row) * weight_at((row * size.tapsR * size.tapsS + tap) * size.perGroupIn + c - g * size.perGroupIn);
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
  const tensors: Record<string, TensorUse> = {};
  if (epilogue.scale) tensors["scale"] = read(epilogue.scale, wide);
  if (epilogue.bias) tensors["bias"] = read(epilogue.bias, wide);
  if (epilogue.residual) tensors["residual"] = read(epilogue.residual, wide);
  const sum = `sum${epilogue.scale ? " * scale_at(c)" : ""}${epilogue.bias ? " + bias_at(c)" : ""}${epilogue.residual ? " + residual_at(i)" : ""}`;
  const { activation } = epilogue;
  return {
    tensors,
    finish: activation ? `${activation}(${sum})` : sum,
    functions: activation ? ACTIVATIONS[activation].wgsl : "",
  };
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
    body: `  let c = i % size.perIn; let s = (i / size.perIn) % size.tapsS; let r = (i / (size.perIn * size.tapsS)) % size.tapsR;
  let k = (i / (size.perIn * size.tapsS * size.tapsR)) % size.K; let split = i / (size.perIn * size.tapsS * size.tapsR * size.K);
  let channel = (k / size.perOut) * size.perIn + c;
  var total = 0.0;
  for (var line = split * size.linesPerSplit; line < min((split + 1u) * size.linesPerSplit, size.lines); line++) {
    let n = line / size.oh;
    let y = i32((line - n * size.oh) * size.strideY + r * size.dilation) - i32(size.paddingY);
    if (y < 0 || y >= i32(size.h)) { continue; }
    var sum = 0.0;
    for (var ox = 0u; ox < size.ow; ox++) {
      let x = i32(ox * size.strideX + s * size.dilation) - i32(size.paddingX);
      if (x < 0 || x >= i32(size.w)) { continue; }
      sum += y_at((line * size.ow + ox) * size.K + k) * x_at(((n * size.h + u32(y)) * size.w + u32(x)) * size.channels + channel);
    }
    total += sum;
  }
  return total;`,
  });
  return splits > 1 ? [product, sumSplits(out, weight, splits, contraction)] : [product];
}
