import { ACTIVATIONS } from "../../shader/activation.ts";
import { read, type TensorUse } from "../../shader/shader.ts";
import { type Epilogue, FUSED_ACTIVATIONS, type Value } from "../../trace/op.ts";
import { bothAxes } from "../../trace/shape.ts";
import { type Contraction, extents, geometrySizes } from "./contraction.ts";

/**
 * WGSL shared by the tiled kernels of gather and scatter. Both are a product of rows (pixels) with columns
 * (channels): a row is resolved once per tap to the pixel it reads, or to NONE in padding, and then streamed along
 * its channels four at a time.
 */
interface RowProduct {
  /** Rows, columns, and channels summed per tap. */
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly source: Value;
  readonly weight: Value;
  readonly out: Value;
  readonly sourceWide: boolean;
  readonly weightWide: boolean;
  readonly outWide: boolean;
  readonly sizes: { readonly [name: string]: number };
  /**
   * Classes of rows that meet the same taps. A scatter of strides sy and sx writes pixels of sy x sx such phases: a tap reaches
   * only one of them, so each phase walks its own taps instead of asking every pixel about all of them.
   */
  readonly phases: number;
  /** `row_origin(m, phase)`, `row_pixel(origin, r, s)`, `row_out(m, phase)`, `live(phase, r, s)`, `source4(pixel, k)`. */
  readonly functions: string;
}

const NONE = "const NONE = 0xffffffffu;";

export function rowProduct(contraction: Contraction): RowProduct {
  const { kind, x, y, weight, taps } = contraction;
  const [strideY, strideX] = bothAxes(contraction.stride);
  const e = extents(contraction);
  const gather = kind === "gather";
  const rowH = gather ? e.oh : Math.ceil(e.h / strideY);
  const rowW = gather ? e.ow : Math.ceil(e.w / strideX);
  const rows = e.n * rowH * rowW;
  const columns = gather ? e.k : e.inC;
  const inner = gather ? e.inC : e.k;
  const sourceWide = inner % 4 === 0;
  const outWide = columns % 4 === 0;
  return {
    rows,
    columns,
    inner,
    phases: gather ? 1 : strideY * strideX,
    source: gather ? x : y,
    weight,
    out: gather ? y : x,
    sourceWide,
    weightWide: gather ? sourceWide : outWide,
    outWide,
    sizes: {
      rows,
      columns,
      inner,
      inner4: Math.ceil(inner / 4),
      rowH,
      rowW,
      outH: gather ? e.oh : e.h,
      outW: gather ? e.ow : e.w,
      srcH: gather ? e.h : e.oh,
      srcW: gather ? e.w : e.ow,
      tapsS: e.s,
      taps: e.r * e.s,
      ...taps,
      ...geometrySizes(contraction),
    },
    functions: [NONE, rowText(gather), sourceText(sourceWide), weightText(gather, sourceWide, outWide)].join("\n"),
  };
}

function rowText(gather: boolean): string {
  return gather ? GATHER_ROWS : SCATTER_ROWS;
}

const DECODE = `  let plane = args.rowH * args.rowW;
  let n = m / plane; let rest = m - n * plane; let y = rest / args.rowW; let x = rest - y * args.rowW;`;
const NOWHERE = "vec3i(0, -0x10000000, -0x10000000)";

const GATHER_ROWS = `fn row_origin(m: u32, phase: u32) -> vec3i {
${DECODE}
  let origin = vec3i(i32(n), i32(y * args.strideY) - i32(args.paddingY), i32(x * args.strideX) - i32(args.paddingX));
  return select(${NOWHERE}, origin, m < args.rows);
}
fn row_pixel(o: vec3i, r: u32, s: u32) -> u32 {
  let y = o.y + i32(r * args.dilation); let x = o.z + i32(s * args.dilation);
  let inside = y >= 0 && x >= 0 && y < i32(args.srcH) && x < i32(args.srcW);
  return select(NONE, (u32(o.x) * args.srcH + u32(y)) * args.srcW + u32(x), inside);
}
fn row_out(m: u32, phase: u32) -> u32 { return select(NONE, m, m < args.rows); }
fn live(phase: u32, r: u32, s: u32) -> bool { return true; }`;

const SCATTER_ROWS = `fn row_origin(m: u32, phase: u32) -> vec3i {
${DECODE}
  let py = y * args.strideY + phase / args.strideX; let px = x * args.strideX + phase % args.strideX;
  let origin = vec3i(i32(n), i32(py + args.paddingY), i32(px + args.paddingX));
  return select(${NOWHERE}, origin, m < args.rows && py < args.outH && px < args.outW);
}
fn row_pixel(o: vec3i, r: u32, s: u32) -> u32 {
  let y = o.y - i32(r * args.dilation); let x = o.z - i32(s * args.dilation);
  let qy = u32(max(y, 0)) / args.strideY; let qx = u32(max(x, 0)) / args.strideX;
  let inside = y >= 0 && x >= 0 && qy < args.srcH && qx < args.srcW;
  return select(NONE, (u32(o.x) * args.srcH + qy) * args.srcW + qx, inside);
}
fn row_out(m: u32, phase: u32) -> u32 {
${DECODE}
  let py = y * args.strideY + phase / args.strideX; let px = x * args.strideX + phase % args.strideX;
  return select(NONE, (n * args.outH + py) * args.outW + px, m < args.rows && py < args.outH && px < args.outW);
}
fn live(phase: u32, r: u32, s: u32) -> bool {
  let y = i32(phase / args.strideX + args.paddingY) - i32(r * args.dilation);
  let x = i32(phase % args.strideX + args.paddingX) - i32(s * args.dilation);
  return y % i32(args.strideY) == 0 && x % i32(args.strideX) == 0;
}`;

function sourceText(wide: boolean): string {
  return wide
    ? `fn source4(p: u32, k: u32) -> vec4f {
  let ok = p != NONE;
  return select(vec4f(0.0), source_at(select(0u, p * args.inner4 + k, ok)), ok);
}`
    : `fn source1(p: u32, c: u32) -> f32 {
  let ok = p != NONE && c < args.inner;
  return select(0.0, source_at(select(0u, p * args.inner + c, ok)), ok);
}
fn source4(p: u32, k: u32) -> vec4f {
  return vec4f(source1(p, 4u * k), source1(p, 4u * k + 1u), source1(p, 4u * k + 2u), source1(p, 4u * k + 3u));
}`;
}

/**
 * Gather reads the weight along c, four of one column k: `column4(n, tap, k)`. Scatter reads it along c too, but
 * there c is the column: `line4(kc, tap, n4)` gives four columns of one summed channel.
 */
function weightText(gather: boolean, sourceWide: boolean, outWide: boolean): string {
  if (gather) {
    return sourceWide
      ? "fn column4(n: u32, tap: u32, k: u32) -> vec4f { return weight_at((min(n, args.columns - 1u) * args.taps + tap) * args.inner4 + k); }"
      : `fn column1(base: u32, c: u32) -> f32 { return weight_at(base + min(c, args.inner - 1u)); }
fn column4(n: u32, tap: u32, k: u32) -> vec4f {
  let base = (min(n, args.columns - 1u) * args.taps + tap) * args.inner;
  return vec4f(column1(base, 4u * k), column1(base, 4u * k + 1u), column1(base, 4u * k + 2u), column1(base, 4u * k + 3u));
}`;
  }
  return outWide
    ? `fn line4(kc: u32, tap: u32, n4: u32) -> vec4f {
  let width = args.columns / 4u;
  return weight_at((min(kc, args.inner - 1u) * args.taps + tap) * width + min(n4, width - 1u));
}`
    : `fn line1(base: u32, n: u32) -> f32 { return weight_at(base + min(n, args.columns - 1u)); }
fn line4(kc: u32, tap: u32, n4: u32) -> vec4f {
  let base = (min(kc, args.inner - 1u) * args.taps + tap) * args.columns;
  return vec4f(line1(base, 4u * n4), line1(base, 4u * n4 + 1u), line1(base, 4u * n4 + 2u), line1(base, 4u * n4 + 3u));
}`;
}

/** Tensors and text of a fused tail: `store4(m, n4, v)` writes four columns of output row `m` where they exist. */
export function storeText(product: RowProduct, epilogue: Epilogue) {
  const { outWide, out } = product;
  const tensors: Record<string, TensorUse> = {};
  if (epilogue.scale) tensors["scale"] = read(epilogue.scale, outWide);
  if (epilogue.bias) tensors["bias"] = read(epilogue.bias, outWide);
  if (epilogue.residual) tensors["residual"] = read(epilogue.residual, outWide);
  const { activation } = epilogue;
  const finish = (channel: string, at: string) => {
    const scaled = epilogue.scale ? `v * scale_at(${channel})` : "v";
    const bias = epilogue.bias ? ` + bias_at(${channel})` : "";
    const sum = `${scaled}${bias}${epilogue.residual ? ` + residual_at(${at})` : ""}`;
    return activation ? `${activation}(${sum})` : sum;
  };
  const alias = `alias T = ${outWide ? "vec4f" : "f32"};`;
  const activationText = activation ? `${alias}\n${ACTIVATIONS[activation].wgsl}` : "";
  const store = outWide
    ? `fn store4(m: u32, n4: u32, v: vec4f) {
  let width = args.columns / 4u;
  if (m == NONE || n4 >= width) { return; }
  let at = m * width + n4;
  out_set(at, ${finish("n4", "at")});
}`
    : `fn store1(m: u32, n: u32, v: f32) {
  if (m == NONE || n >= args.columns) { return; }
  let at = m * args.columns + n;
  out_set(at, ${finish("n", "at")});
}
fn store4(m: u32, n4: u32, v: vec4f) {
  store1(m, 4u * n4, v.x); store1(m, 4u * n4 + 1u, v.y); store1(m, 4u * n4 + 2u, v.z); store1(m, 4u * n4 + 3u, v.w);
}`;
  return { tensors, out, text: `${activationText}\n${store}` };
}

/** Bits of `args.tail` and numbers of `args.activation` in {@link uniformStoreText}. */
const TAIL = { scale: 1, bias: 2, residual: 4 } as const;
const NUMBERED = ["none", ...FUSED_ACTIVATIONS] as const;

/**
 * As {@link storeText}, with the choice of tail in the uniform instead of the text: where a tile's kernel takes a
 * second to compile, one pipeline has to serve every convolution. A tensor that is not used is bound to the weight.
 */
export function uniformStoreText(product: RowProduct, epilogue: Epilogue) {
  const { outWide, out, weight } = product;
  const { scale, bias, residual, activation = "none" } = epilogue;
  const used = Object.entries(TAIL).reduce(
    (bits, [name, bit]) => bits + (epilogue[name as keyof typeof TAIL] ? bit : 0),
    0,
  );
  const tensors: Record<string, TensorUse> = {
    scale: read(scale ?? weight, outWide),
    bias: read(bias ?? weight, outWide),
    residual: read(residual ?? weight, outWide),
  };
  const sizes = { tail: used, activation: NUMBERED.indexOf(activation as (typeof NUMBERED)[number]) };
  const texts = new Set(NUMBERED.flatMap((name) => (name === "none" ? [] : ACTIVATIONS[name].wgsl.split(/\n(?=fn )/))));
  const cases = NUMBERED.map((name, i) => (name === "none" ? "" : `    case ${i}u: { return ${name}(v); }`)).join("\n");
  const finish = `alias T = ${outWide ? "vec4f" : "f32"};
${[...texts].join("\n")}
fn activated(v: T) -> T {
  switch args.activation {
${cases}
    default: { return v; }
  }
}
fn finished(v: T, channel: u32, at: u32) -> T {
  var y = v;
  if ((args.tail & ${TAIL.scale}u) != 0u) { y *= scale_at(channel); }
  if ((args.tail & ${TAIL.bias}u) != 0u) { y += bias_at(channel); }
  if ((args.tail & ${TAIL.residual}u) != 0u) { y += residual_at(at); }
  return activated(y);
}`;
  const store = outWide
    ? `fn store4(m: u32, n4: u32, v: vec4f) {
  let width = args.columns / 4u;
  if (m == NONE || n4 >= width) { return; }
  let at = m * width + n4;
  out_set(at, finished(v, n4, at));
}`
    : `fn store4(m: u32, n4: u32, v: vec4f) {
  if (m == NONE) { return; }
  for (var j = 0u; j < min(4u, args.columns - min(4u * n4, args.columns)); j++) {
    let n = 4u * n4 + j;
    let at = m * args.columns + n;
    out_set(at, finished(v[j], n, at));
  }
}`;
  return { tensors, sizes, out, text: `${finish}\n${store}` };
}
