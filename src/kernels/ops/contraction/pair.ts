import { range } from "../../range.ts";
import { read, shader, spread, write } from "../../shader/shader.ts";
import type { Dispatch } from "../../trace/op.ts";
import { type Contraction, extents, flattened, geometrySizes, type Lowering } from "./contraction.ts";
import { prologueTensors } from "./prologue.ts";
import { sumSplits, sumSplitsOfBoth } from "./splits.ts";

/**
 * The weight gradient, `weight[k, j] = sum over pixels of y[pixel, k] x[pixel moved by the tap of j, c of j]` with
 * j = (r, s, c): rows are k, columns j, and the sum runs over the output's pixels, a few of one image row a turn.
 * Where rows and columns make too few tiles to fill the machine, the pixels are cut into `splits` stretches whose sums
 * are added in a second dispatch, always in the same order.
 */
export interface PairPlan {
  readonly contraction: Contraction;
  readonly rows: number;
  readonly columns: number;
  readonly yWide: boolean;
  readonly xWide: boolean;
  readonly splits: number;
  readonly sizes: { readonly [name: string]: number };
}

/** Extents of the product that a pair is, and how many groups of so many pixels of one image row it sums. */
export function pairExtents(contraction: Contraction, pixels: number) {
  const e = extents(contraction);
  const perRow = Math.ceil(e.ow / pixels);
  return { rows: e.k, columns: e.r * e.s * e.inC, perRow, turns: e.n * e.oh * perRow };
}

/** Rows and columns of a tile of the product, and the pixels of one image row that a turn adds to it. */
interface PairTile {
  readonly rows: number;
  readonly columns: number;
  readonly pixels: number;
}

export function planPair(contraction: Contraction, tile: PairTile, splits: number): PairPlan {
  const e = extents(contraction);
  const { rows, columns, perRow, turns } = pairExtents(contraction, tile.pixels);
  return {
    contraction,
    rows,
    columns,
    yWide: e.k % 4 === 0,
    xWide: e.inC % 4 === 0,
    splits,
    sizes: {
      rows: e.k,
      columns,
      channels: e.inC,
      oh: e.oh,
      ow: e.ow,
      h: e.h,
      w: e.w,
      tapsS: e.s,
      ...geometrySizes(contraction),
      turns,
      turnsPerRow: perRow,
      stretch: Math.ceil(turns / splits),
      tilesM: Math.ceil(rows / tile.rows),
      tilesN: Math.ceil(columns / tile.columns),
    },
  };
}

/*
 * Conditions of a select are joined by `&`, which evaluates both sides: `&&` is a branch, and a driver that compiles for a
 * CPU (SwiftShader) took minutes and 9 GB for the hundreds of them in an unrolled tile.
 */

/** `y4`: four rows of one pixel; `x4`: four columns at one pixel. Zero outside the image and past the ends. */
function pairText({ yWide, xWide }: PairPlan): string {
  const y4 = yWide
    ? `fn y4(pixel: u32, quad: u32, ok: bool) -> vec4f {
  let width = args.rows / 4u;
  let good = ok & (quad < width);
  return select(vec4f(0.0), y_at(select(0u, pixel * width + quad, good)), good);
}`
    : `fn y1(pixel: u32, k: u32, ok: bool) -> f32 {
  let good = ok & (k < args.rows);
  return select(0.0, y_at(select(0u, pixel * args.rows + k, good)), good);
}
fn y4(pixel: u32, quad: u32, ok: bool) -> vec4f {
  return vec4f(y1(pixel, 4u * quad, ok), y1(pixel, 4u * quad + 1u, ok), y1(pixel, 4u * quad + 2u, ok), y1(pixel, 4u * quad + 3u, ok));
}`;
  const pixel = `fn moved(n: u32, oy: u32, ox: u32, tap: vec2u) -> u32 {
  let y = i32(oy * args.strideY + tap.x * args.dilation) - i32(args.paddingY);
  let x = i32(ox * args.strideX + tap.y * args.dilation) - i32(args.paddingX);
  let inside = (y >= 0) & (x >= 0) & (y < i32(args.h)) & (x < i32(args.w)) & (ox < args.ow);
  return select(NONE, (n * args.h + u32(y)) * args.w + u32(x), inside);
}`;
  const column = `fn column_of(j: u32) -> vec3u {
  let tap = j / args.channels; let r = tap / args.tapsS;
  return vec3u(r, tap - r * args.tapsS, j - tap * args.channels);
}`;
  const x4 = xWide
    ? `struct Columns { tap: vec2u, c: u32, ok: bool }
fn columns_at(quad: u32) -> Columns {
  let o = column_of(4u * quad);
  return Columns(o.xy, o.z / 4u, 4u * quad < args.columns);
}
fn x4(n: u32, oy: u32, ox: u32, j: Columns) -> vec4f {
  let p = moved(n, oy, ox, j.tap);
  let good = (p != NONE) & j.ok;
  return select(vec4f(0.0), x_at(select(0u, p * (args.channels / 4u) + j.c, good)), good);
}`
    : `struct Columns { a: vec3u, b: vec3u, c: vec3u, d: vec3u, first: u32 }
fn columns_at(quad: u32) -> Columns {
  return Columns(column_of(4u * quad), column_of(4u * quad + 1u), column_of(4u * quad + 2u), column_of(4u * quad + 3u), 4u * quad);
}
fn x1(n: u32, oy: u32, ox: u32, o: vec3u, ok: bool) -> f32 {
  let p = moved(n, oy, ox, o.xy);
  let good = (p != NONE) & ok;
  return select(0.0, x_at(select(0u, p * args.channels + o.z, good)), good);
}
fn x4(n: u32, oy: u32, ox: u32, j: Columns) -> vec4f {
  let left = args.columns - min(j.first, args.columns);
  return vec4f(x1(n, oy, ox, j.a, left > 0u), x1(n, oy, ox, j.b, left > 1u), x1(n, oy, ox, j.c, left > 2u), x1(n, oy, ox, j.d, left > 3u));
}`;
  return ["const NONE = 0xffffffffu;", y4, pixel, column, x4].join("\n");
}

function storePair({ xWide, splits, columns, contraction: { sums } }: PairPlan): string {
  const wide = xWide || columns % 4 === 0;
  const base = splits > 1 ? "(split * args.rows + row)" : "row";
  // Where y is summed too, those sums stand behind each stretch's own.
  const from = sums && splits > 1 ? "split * (args.rows / 4u) + " : "";
  return wide
    ? `fn store4(split: u32, row: u32, quad: u32, v: vec4f) {
  if (row < args.rows && 4u * quad < args.columns) { out_set(${from}${base} * (args.columns / 4u) + quad, v); }
}${sums ? `\n${storeSum(splits)}` : ""}`
    : `fn store1(split: u32, row: u32, j: u32, v: f32) {
  if (row < args.rows && j < args.columns) { out_set(${base} * args.columns + j, v); }
}
fn store4(split: u32, row: u32, quad: u32, v: vec4f) {
  store1(split, row, 4u * quad, v.x); store1(split, row, 4u * quad + 1u, v.y);
  store1(split, row, 4u * quad + 2u, v.z); store1(split, row, 4u * quad + 3u, v.w);
}`;
}

/** Stores the sum of four of y's channels over a stretch's pixels. */
const storeSum = (splits: number): string => `fn store_sum(split: u32, quad: u32, v: vec4f) {
  ${splits > 1 ? "out_set((split + 1u) * (args.rows * args.columns / 4u) + split * (args.rows / 4u) + quad, v);" : "sums_set(quad, v);"}
}`;

const AXES = ["x", "y", "z", "w"] as const;
/** Which tile of which stretch. */
export const WHICH_PAIR = `  let t = group.x + group.y * groups.x;
  let tiles = args.tilesM * args.tilesN;
  if (t >= tiles * args.splits) { return; }
  let split = t / tiles; let tile = t - split * tiles;
  let tm = tile / args.tilesN; let tn = tile - tm * args.tilesN;`;

/** Position of the first quad, then one step on: no division inside the loop. */
const WALK_START = `  let begin = min(split * args.stretch, args.turns); let end = min(begin + args.stretch, args.turns);
  var line = begin / args.turnsPerRow; var ox = 4u * (begin - line * args.turnsPerRow);
  var n = line / args.oh; var oy = line - n * args.oh;`;
const WALK_ON = `    ox += 4u;
    if (ox >= args.ow) { ox = 0u; oy += 1u; line += 1u; if (oy == args.oh) { oy = 0u; n += 1u; } }`;

/** 16 rows by 32 columns a subgroup of 8 lanes, as in shuffle.ts. */
export const shufflePair: Lowering = (given) => {
  const contraction = flattened(given);
  const { rows: k, columns, turns } = pairExtents(contraction, 4);
  const tiles = Math.ceil(k / 16) * Math.ceil(columns / 32);
  // Enough for a few cores, of at least 1024 pixels each.
  const splits = Math.max(1, Math.min(Math.ceil(4 / tiles), Math.floor(turns / 256)));
  const plan = planPair(contraction, { rows: 16, columns: 32, pixels: 4 }, splits);
  const rows = range(16);
  const main = `${WHICH_PAIR}
  let columns = columns_at(tn * 8u + lane); let quad = tm * 4u + (lane & 3u); let half = lane >> 2u;
${rows.map((i) => `  var s${i} = vec4f(0.0);`).join("\n")}
${WALK_START}
  for (var q = begin; q < end; q++) {
    let row = line * args.ow;
    let a0 = y4(row + ox + half, quad, ox + half < args.ow);
    let a1 = y4(row + ox + 2u + half, quad, ox + 2u + half < args.ow);
${range(4)
  .map((j) => `    let b${j} = x4(n, oy, ox + ${j}u, columns);`)
  .join("\n")}
${rows
  .flatMap((i) =>
    range(4).map(
      (j) =>
        `    s${i} = fma(vec4f(subgroupShuffle(a${j >> 1}.${AXES[i & 3]}, ${(j & 1) * 4 + (i >> 2)}u)), b${j}, s${i});`,
    ),
  )
  .join("\n")}
${WALK_ON}
  }
  var held = array<vec4f, 16>(${rows.map((i) => `s${i}`).join(", ")});
  for (var i = 0u; i < args.stores; i++) { store4(split, tm * 16u + i, tn * 8u + lane, held[i]); }`;
  return finishPair(plan, "pair 16x32 shuffle", { workgroup: 8, enable: ["subgroups"], main, functions: "" });
};

interface PairShader {
  readonly workgroup: number;
  readonly enable: readonly string[];
  readonly main: string;
  readonly functions: string;
}

export function finishPair(
  plan: PairPlan,
  label: string,
  { workgroup, enable, main, functions }: PairShader,
): Dispatch[] {
  const { contraction, splits, rows, columns } = plan;
  const { target, weight, sums, prologue } = contraction;
  const wideOut = plan.xWide || columns % 4 === 0;
  const out = splits > 1 ? contraction.scratch([splits, rows * columns + (sums ? rows : 0)]) : weight;
  const product = shader({
    label,
    target,
    enable,
    tensors: {
      y: read(contraction.y, plan.yWide),
      x: read(contraction.x, plan.xWide),
      ...(prologue ? prologueTensors(prologue) : {}),
      out: write(out, wideOut),
      ...(sums && splits === 1 ? { sums: write(sums, true) } : {}),
    },
    sizes: { ...plan.sizes, splits, stores: 16 },
    floats: prologue?.norm ? { eps: prologue.norm.eps } : {},
    workgroupSize: [workgroup],
    workgroups: spread((plan.sizes["tilesM"] ?? 1) * (plan.sizes["tilesN"] ?? 1) * splits, target),
    functions: `${pairText(plan)}\n${storePair(plan)}\n${functions}`,
    main,
  });
  if (splits === 1) return [product];
  return [
    product,
    sums ? sumSplitsOfBoth(out, weight, sums, splits, target) : sumSplits(out, weight, splits, contraction),
  ];
}
