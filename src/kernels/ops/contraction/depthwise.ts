import { range } from "../../range.ts";
import { perInvocation, read, write } from "../../shader/shader.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { bothAxes } from "../../trace/shape.ts";
import { type Contraction, extents, geometrySizes } from "./contraction.ts";
import { plainEpilogue } from "./plain.ts";
import { sumSplits } from "./splits.ts";

/**
 * Depthwise 3x3 of stride 1, four channels an invocation, sliding along image rows: what neighbouring pixels share is
 * loaded once. The plain kernel spends nearly all its time on loads, 18 vec4f a pixel; these take 7 (four pixels
 * together) and, for the weight gradient, 4 instead of 18.
 */
export function slidesDepthwise(contraction: Contraction): boolean {
  const { groups, stride, dilation } = contraction;
  const e = extents(contraction);
  const depthwise = groups === e.inC && e.k === e.inC;
  const dense = bothAxes(stride).every((step) => step === 1) && dilation === 1;
  return depthwise && e.k % 4 === 0 && e.r === 3 && e.s === 3 && dense;
}

export function slidingDepthwise(contraction: Contraction): readonly Dispatch[] {
  return contraction.kind === "pair" ? pair(contraction) : product(contraction);
}

/** Four weights of one tap: channels are rows of the weight, nine apart. */
const WEIGHT = `fn tap4(c: u32, tap: u32) -> vec4f {
  let at = 36u * c + tap;
  return vec4f(weight_at(at), weight_at(at + 9u), weight_at(at + 18u), weight_at(at + 27u));
}`;

const SOURCE = `fn source4(line: u32, x: i32, c: u32) -> vec4f {
  let inside = (x >= 0) & (x < i32(args.srcW));
  return select(vec4f(0.0), source_at(select(0u, (line * args.srcW + u32(x)) * args.C + c, inside)), inside);
}`;

/** Gather, or scatter, which is a gather with the taps in reverse order and the padding's complement. */
function product(contraction: Contraction): Dispatch[] {
  const { kind, target } = contraction;
  const e = extents(contraction);
  const gather = kind === "gather";
  const { paddingY, paddingX } = geometrySizes(contraction);
  const [H, W, srcH, srcW] = gather ? [e.oh, e.ow, e.h, e.w] : [e.h, e.w, e.oh, e.ow];
  const quads = Math.ceil(W / 4);
  const { tensors, finish, functions } = plainEpilogue(contraction, true);
  const out = gather ? contraction.y : contraction.x;
  const sums = range(4);
  return [
    perInvocation({
      label: `${kind} depthwise 3x3`,
      target,
      count: (e.n * H * quads * e.k) / 4,
      type: "vec4f",
      tensors: {
        source: read(gather ? contraction.x : contraction.y, true),
        weight: read(contraction.weight),
        ...tensors,
        out: write(out, true),
      },
      sizes: {
        H,
        W,
        C: e.k / 4,
        quads,
        srcH,
        srcW,
        // How far the window begins before the pixel.
        beforeY: gather ? paddingY : 2 - paddingY,
        beforeX: gather ? paddingX : 2 - paddingX,
      },
      functions: `${WEIGHT}\n${SOURCE}\n${functions}
fn finished(sum: T, i: u32, c: u32) -> T { return ${finish}; }`,
      body: `  let c = i % args.C; let x_ = 4u * ((i / args.C) % args.quads);
  let y_ = (i / (args.C * args.quads)) % args.H; let n = i / (args.C * args.quads * args.H);
  let left = i32(x_) - i32(args.beforeX);
${sums.map((j) => `  var a${j} = T(0.0);`).join("\n")}
  for (var r = 0u; r < 3u; r++) {
    let y = i32(y_ + r) - i32(args.beforeY);
    if (y < 0 || y >= i32(args.srcH)) { continue; }
    let line = n * args.srcH + u32(y);
${range(3)
  .map((s) => `    let w${s} = tap4(c, ${gather ? `3u * r + ${s}u` : `3u * (2u - r) + ${2 - s}u`});`)
  .join("\n")}
${range(6)
  .map((t) => `    let v${t} = source4(line, left + ${t}, c);`)
  .join("\n")}
${sums.map((j) => `    a${j} += v${j} * w0 + v${j + 1} * w1 + v${j + 2} * w2;`).join("\n")}
  }
  let at = ((n * args.H + y_) * args.W + x_) * args.C + c;
${sums.map((j) => `  if (x_ + ${j}u < args.W) { out_set(at + ${j}u * args.C, finished(a${j}, at + ${j}u * args.C, c)); }`).join("\n")}`,
    }),
  ];
}

/** Pixels of a row that one stretch takes in: whole rows where few invocations suffice. */
const STRETCH = 64;

function pair(contraction: Contraction): Dispatch[] {
  const { target, weight } = contraction;
  const e = extents(contraction);
  const stretch = target.software ? e.ow : Math.min(STRETCH, e.ow);
  const perLine = Math.ceil(e.ow / stretch);
  const items = e.n * e.oh * perLine;
  const splits = Math.min(items, target.software ? 16 : 1024);
  const out: Value = splits > 1 ? contraction.scratch([splits, ...weight.shape]) : weight;
  const taps = range(9);
  const kernel = perInvocation({
    label: "pair depthwise 3x3",
    target,
    count: (splits * e.k) / 4,
    type: "vec4f",
    tensors: { y: read(contraction.y, true), source: read(contraction.x, true), out: write(out) },
    sizes: {
      C: e.k / 4,
      oh: e.oh,
      ow: e.ow,
      srcH: e.h,
      srcW: e.w,
      stretch,
      perLine,
      items,
      itemsPerSplit: Math.ceil(items / splits),
      nine: 9,
      ...geometrySizes(contraction),
    },
    functions: `${SOURCE}
fn line4(line: u32, inside: bool, x: i32, c: u32) -> vec4f { return select(vec4f(0.0), source4(line, x, c), inside); }`,
    body: `  let c = i % args.C; let split = i / args.C;
${taps.map((t) => `  var a${t} = T(0.0);`).join("\n")}
  for (var item = split * args.itemsPerSplit; item < min((split + 1u) * args.itemsPerSplit, args.items); item++) {
    let line = item / args.perLine; let x0 = (item - line * args.perLine) * args.stretch;
    let n = line / args.oh; let top = i32(line - n * args.oh) - i32(args.paddingY);
${range(3)
  .map(
    (r) => `    let in${r} = (top + ${r} >= 0) & (top + ${r} < i32(args.srcH));
    let l${r} = n * args.srcH + u32(max(top + ${r}, 0));
    let left${r} = i32(x0) - i32(args.paddingX);
    var p${r} = line4(l${r}, in${r}, left${r}, c); var q${r} = line4(l${r}, in${r}, left${r} + 1, c);`,
  )
  .join("\n")}
    for (var x = x0; x < min(x0 + args.stretch, args.ow); x++) {
      let g = y_at((line * args.ow + x) * args.C + c);
      let right = i32(x) - i32(args.paddingX) + 2;
${range(3)
  .map(
    (r) => `      let s${r} = line4(l${r}, in${r}, right, c);
      a${3 * r} += g * p${r}; a${3 * r + 1} += g * q${r}; a${3 * r + 2} += g * s${r};
      p${r} = q${r}; q${r} = s${r};`,
  )
  .join("\n")}
    }
  }
  var held = array<vec4f, 9>(${taps.map((t) => `a${t}`).join(", ")});
  for (var t = 0u; t < args.nine; t++) {
    let at = 36u * (split * args.C + c) + t;
    out_set(at, held[t].x); out_set(at + 9u, held[t].y); out_set(at + 18u, held[t].z); out_set(at + 27u, held[t].w);
  }`,
  });
  return splits > 1 ? [kernel, sumSplits(out, weight, splits, contraction)] : [kernel];
}
