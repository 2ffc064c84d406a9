import type { Value } from "../../trace/op.ts";
import { bothAxes } from "../../trace/shape.ts";
import { type Contraction, extents, geometrySizes } from "./contraction.ts";

/**
 * WGSL shared by the tiled kernels of gather and scatter. Both are a product of rows (pixels) with columns
 * (channels): a row is resolved once per tap to the pixel it reads, or to NONE in padding, and then streamed along
 * its channels four at a time.
 */
export interface RowProduct {
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
  /** Taps summed for a row, at most. */
  readonly taps: number;
  /**
   * `row_origin(m, phase)`, `row_pixel(origin, r, s)`, `row_out(m, phase)`, `live(phase, r, s)`, `live_taps(phase)` (the first
   * live r and s and how many of each), `weight_tap(phase, r, s)`, `source4(pixel, k)`, where a pixel is where its
   * channels begin in the source; and `raw4(pixel_start(pixel), k)`, the same but for NONE, which may give anything.
   */
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
  const { r0, r1, s0, s1 } = contraction.taps;
  const srcW = gather ? e.w : e.ow;
  const pixelStep = sourceWide ? inner / 4 : inner;
  // A scatter's tap reaches a phase again this many taps on.
  const tapStep = (stride: number) => (gather ? 1 : stride / commonDivisor(stride, contraction.dilation));
  const [stepR, stepS] = [tapStep(strideY), tapStep(strideX)];
  return {
    rows,
    columns,
    inner,
    phases: gather ? 1 : strideY * strideX,
    taps: Math.ceil((r1 - r0) / stepR) * Math.ceil((s1 - s0) / stepS),
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
      srcW,
      pixelStep,
      lineStep: srcW * pixelStep,
      tapsS: e.s,
      taps: e.r * e.s,
      ...taps,
      stepR,
      stepS,
      ...geometrySizes(contraction),
    },
    functions: `${streamText(gather, sourceWide, outWide)}\n${rowText(gather)}`,
  };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function rowText(gather: boolean): string {
  return `${MOVE}
${gather ? GATHER_ROWS : SCATTER_ROWS}
fn weight_tap(phase: u32, r: u32, s: u32) -> u32 { return min(r * args.tapsS + s, args.taps - 1u); }`;
}

const DECODE = `  let plane = args.rowH * args.rowW;
  let n = m / plane; let rest = m - n * plane; let y = rest / args.rowW; let x = rest - y * args.rowW;`;
const NOWHERE = "vec3i(0, -0x10000000, -0x10000000)";

/**
 * What a row is resolved to: where its pixel of tap (0, 0) begins in the source, and that pixel's y and x, which may lie
 * outside. A tap moves all rows by as much, so a lane adds and compares and multiplies nothing.
 */
const MOVE = `fn origin_at(n: u32, y: i32, x: i32) -> vec3i {
  let start = i32(n * args.srcH * args.lineStep) + y * i32(args.lineStep) + x * i32(args.pixelStep);
  return vec3i(start, y, x);
}
fn moved(o: vec3i, dy: i32, dx: i32) -> u32 {
  // What is negative is large without its sign.
  let inside = (u32(o.y + dy) < args.srcH) & (u32(o.z + dx) < args.srcW);
  return select(NONE, u32(o.x + (dy * i32(args.lineStep) + dx * i32(args.pixelStep))), inside);
}`;

const GATHER_ROWS = `fn row_origin(m: u32, phase: u32) -> vec3i {
${DECODE}
  let origin = origin_at(n, i32(y * args.strideY) - i32(args.paddingY), i32(x * args.strideX) - i32(args.paddingX));
  return select(${NOWHERE}, origin, m < args.rows);
}
fn row_pixel(o: vec3i, r: u32, s: u32) -> u32 { return moved(o, i32(r * args.dilation), i32(s * args.dilation)); }
fn row_out(m: u32, phase: u32) -> u32 { return select(NONE, m, m < args.rows); }
fn live(phase: u32, r: u32, s: u32) -> bool { return true; }
fn live_taps(phase: u32) -> vec4u { return vec4u(args.r0, args.s0, args.r1 - args.r0, args.s1 - args.s0); }`;

/** A live tap's distance and its row's leave the same rest when divided by the stride, so the quotients may be subtracted. */
const SCATTER_ROWS = `fn row_origin(m: u32, phase: u32) -> vec3i {
${DECODE}
  let py = y * args.strideY + phase / args.strideX; let px = x * args.strideX + phase % args.strideX;
  let qy = (py + args.paddingY) / args.strideY; let qx = (px + args.paddingX) / args.strideX;
  return select(${NOWHERE}, origin_at(n, i32(qy), i32(qx)), (m < args.rows) & (py < args.outH) & (px < args.outW));
}
fn row_pixel(o: vec3i, r: u32, s: u32) -> u32 {
  return moved(o, -i32(r * args.dilation / args.strideY), -i32(s * args.dilation / args.strideX));
}
fn row_out(m: u32, phase: u32) -> u32 {
${DECODE}
  let py = y * args.strideY + phase / args.strideX; let px = x * args.strideX + phase % args.strideX;
  return select(NONE, (n * args.outH + py) * args.outW + px, (m < args.rows) & (py < args.outH) & (px < args.outW));
}
fn live_row(phase: u32, r: u32) -> bool {
  return (i32(phase / args.strideX + args.paddingY) - i32(r * args.dilation)) % i32(args.strideY) == 0;
}
fn live_column(phase: u32, s: u32) -> bool {
  return (i32(phase % args.strideX + args.paddingX) - i32(s * args.dilation)) % i32(args.strideX) == 0;
}
fn live(phase: u32, r: u32, s: u32) -> bool { return live_row(phase, r) && live_column(phase, s); }
fn live_taps(phase: u32) -> vec4u {
  var r = args.r0; while (r < args.r1 && !live_row(phase, r)) { r++; }
  var s = args.s0; while (s < args.s1 && !live_column(phase, s)) { s++; }
  return vec4u(r, s, (args.r1 - r + args.stepR - 1u) / args.stepR, (args.s1 - s + args.stepS - 1u) / args.stepS);
}`;

/** How a pixel and the weight are read along their channels: the functions of a {@link RowProduct} that know no image. */
export const streamText = (gather: boolean, sourceWide: boolean, outWide: boolean): string =>
  [NONE, sourceText(sourceWide), weightText(gather, sourceWide, outWide)].join("\n");

function sourceText(wide: boolean): string {
  return wide
    ? `fn pixel_start(p: u32) -> u32 { return select(0u, p, p != NONE); }
fn raw4(start: u32, k: u32) -> vec4f { return source_at(start + k); }
fn source4(p: u32, k: u32) -> vec4f {
  let ok = p != NONE;
  return select(vec4f(0.0), source_at(select(0u, p + k, ok)), ok);
}`
    : `fn source1(p: u32, c: u32) -> f32 {
  let ok = (p != NONE) & (c < args.inner);
  return select(0.0, source_at(select(0u, p + c, ok)), ok);
}
fn source4(p: u32, k: u32) -> vec4f {
  return vec4f(source1(p, 4u * k), source1(p, 4u * k + 1u), source1(p, 4u * k + 2u), source1(p, 4u * k + 3u));
}
fn pixel_start(p: u32) -> u32 { return p; }
fn raw4(start: u32, k: u32) -> vec4f { return source4(start, k); }`;
}

/**
 * Gather reads the weight along c, four of one column: `column4(n, tap, k)`. Scatter reads it along c too, but there c is
 * the column: `line4(kc, tap, n4)` gives four columns of one summed channel. The `walk` forms take what does not change
 * in a loop over taps and channels as starts: `column_walk(column_start(n), tap_start(tap), k)` and, of channel 4 k + d,
 * `line_walk(line_start(d, n4), tap_start(tap), k)`. Past the last column or channel they give other numbers of the weight.
 */
function weightText(gather: boolean, sourceWide: boolean, outWide: boolean): string {
  if (gather) return sourceWide ? WIDE_COLUMNS : NARROW_COLUMNS;
  return outWide ? WIDE_LINES : NARROW_LINES;
}

const WIDE_COLUMNS = `fn column_start(n: u32) -> u32 { return min(n, args.columns - 1u) * args.taps * args.inner4; }
fn column_walk(start: u32, tap: u32, k: u32) -> vec4f { return weight_at(start + tap + k); }
fn tap_start(tap: u32) -> u32 { return tap * args.inner4; }
fn column4(n: u32, tap: u32, k: u32) -> vec4f { return column_walk(column_start(n), tap_start(tap), k); }`;

const NARROW_COLUMNS = `fn column1(base: u32, c: u32) -> f32 { return weight_at(base + min(c, args.inner - 1u)); }
fn column_start(n: u32) -> u32 { return min(n, args.columns - 1u) * args.taps * args.inner; }
fn column_walk(start: u32, tap: u32, k: u32) -> vec4f {
  let base = start + tap;
  return vec4f(column1(base, 4u * k), column1(base, 4u * k + 1u), column1(base, 4u * k + 2u), column1(base, 4u * k + 3u));
}
fn tap_start(tap: u32) -> u32 { return tap * args.inner; }
fn column4(n: u32, tap: u32, k: u32) -> vec4f { return column_walk(column_start(n), tap_start(tap), k); }`;

const WIDE_LINES = `fn line_start(d: u32, n4: u32) -> u32 {
  let width = args.columns / 4u;
  return d * args.taps * width + min(n4, width - 1u);
}
fn line_walk(start: u32, tap: u32, k: u32) -> vec4f {
  let width = args.columns / 4u;
  return weight_at(min(4u * k * args.taps * width + tap + start, args.inner * args.taps * width - 1u));
}
fn tap_start(tap: u32) -> u32 { return tap * (args.columns / 4u); }
fn line4(kc: u32, tap: u32, n4: u32) -> vec4f { return line_walk(line_start(min(kc, args.inner - 1u), n4), tap_start(tap), 0u); }`;

const NARROW_LINES = `fn line1(base: u32, n: u32) -> f32 { return weight_at(min(base + n, args.inner * args.taps * args.columns - 1u)); }
fn line_start(d: u32, n4: u32) -> u32 { return d * args.taps * args.columns + 4u * n4; }
fn line_walk(start: u32, tap: u32, k: u32) -> vec4f {
  let base = 4u * k * args.taps * args.columns + tap + start;
  return vec4f(line1(base, 0u), line1(base, 1u), line1(base, 2u), line1(base, 3u));
}
fn tap_start(tap: u32) -> u32 { return tap * args.columns; }
fn line4(kc: u32, tap: u32, n4: u32) -> vec4f { return line_walk(line_start(min(kc, args.inner - 1u), n4), tap_start(tap), 0u); }`;
