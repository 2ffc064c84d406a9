import { range } from "../../range.ts";
import { epilogueText } from "../../shader/epilogue.ts";
import { elementType, perInvocation, read, write } from "../../shader/shader.ts";
import { prefersShuffleTiles } from "../../target.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { bothAxes, lastOf } from "../../trace/shape.ts";
import { chooseTile } from "./choose-tile.ts";
import { type Contraction, extents } from "./contraction.ts";
import { shuffleProductBy } from "./shuffle.ts";
import { type RowProduct, streamText } from "./text.ts";
import { TILE_DEPTH } from "./tile.ts";
import { tiledProductBy } from "./tiled-product.ts";
import { sandwich, type WinogradForm } from "./winograd-forms.ts";

/** A form, and into how many bands of tiles the output is cut, so that what lies between the dispatches stays small. */
export interface WinogradChoice {
  readonly form: WinogradForm;
  readonly bands: number;
}

/** A gather or scatter of 3x3 taps, stride 1, as a correlation of `source` with a weight, flipped for a scatter. */
export interface Correlation {
  readonly source: Value;
  readonly out: Value;
  readonly weight: Value;
  /** `n`, and height, width and channels of source and output. */
  readonly images: number;
  readonly srcH: number;
  readonly srcW: number;
  readonly inner: number;
  readonly outH: number;
  readonly outW: number;
  readonly columns: number;
  readonly paddingY: number;
  readonly paddingX: number;
  readonly flipped: boolean;
}

/** The correlation that a contraction is, or null where Winograd's forms do not apply. */
export function correlationOf(contraction: Contraction): Correlation | null {
  const { kind, x, y, weight, dilation, groups, taps } = contraction;
  const e = extents(contraction);
  const [paddingY, paddingX] = bothAxes(contraction.padding);
  const whole = taps.r0 === 0 && taps.s0 === 0 && taps.r1 === 3 && taps.s1 === 3;
  const dense = bothAxes(contraction.stride).every((step) => step === 1) && dilation === 1 && groups === 1;
  const square = e.r === 3 && e.s === 3 && whole && paddingY <= 2 && paddingX <= 2;
  const wide = e.inC % 4 === 0 && e.k % 4 === 0;
  if (kind === "pair" || !dense || !square || !wide) return null;
  const base = { weight, images: e.n };
  const input = { h: e.h, w: e.w, c: e.inC };
  const output = { h: e.oh, w: e.ow, c: e.k };
  const sizes = (from: typeof input, to: typeof input) => ({
    ...{ srcH: from.h, srcW: from.w, inner: from.c },
    ...{ outH: to.h, outW: to.w, columns: to.c },
  });
  return kind === "gather"
    ? { ...base, source: x, out: y, ...sizes(input, output), paddingY, paddingX, flipped: false }
    : {
        ...base,
        source: y,
        out: x,
        ...sizes(output, input),
        ...{ paddingY: 2 - paddingY, paddingX: 2 - paddingX, flipped: true },
      };
}

/** Tiles down, across and in all images. */
export function tilesOf({ images, outH, outW }: Correlation, { tile }: WinogradForm) {
  const [tilesY, tilesX] = [Math.ceil(outH / tile), Math.ceil(outW / tile)];
  return { tilesY, tilesX, tiles: images * tilesY * tilesX };
}

/**
 * A convolution by Winograd's minimal filtering: the weight is transformed to `[k, patch^2, c]`, then band by band the input
 * to `[patch^2, tiles, inner]`, from which that many products make `[patch^2, tiles, columns]`, and these become output pixels
 * with the whole epilogue. Tiles that hang over the output's edge are cut.
 */
export function winograd(
  contraction: Contraction,
  correlation: Correlation,
  { form, bands }: WinogradChoice,
): Dispatch[] {
  const { scratch } = contraction;
  const { inner, columns, weight } = correlation;
  const products = form.patch * form.patch;
  const [k = 0, , , c = 0] = weight.shape;
  const { tiles } = tilesOf(correlation, form);
  const most = Math.ceil(tiles / bands);
  const filter = scratch([k, products, c]);
  const patches = scratch([products, most, inner]);
  const sums = scratch([products, most, columns]);
  const eachBand = range(bands).flatMap((band) => {
    const first = band * most;
    const count = Math.min(most, tiles - first);
    if (count <= 0) return [];
    const at = { first, count };
    return [
      transformInput(contraction, correlation, form, patches, at),
      ...multiply(contraction, { source: patches, weight: filter, out: sums, rows: count, products }),
      transformOutput(contraction, correlation, form, sums, at),
    ];
  });
  return [transformWeight(contraction, correlation, form, filter), ...eachBand];
}

interface Band {
  /** Its first tile, and how many. */
  readonly first: number;
  readonly count: number;
}

/** The weight in the form's places; a tap's place in the tensor is known when the text is written. */
function transformWeight(
  { target }: Contraction,
  { weight, flipped }: Correlation,
  form: WinogradForm,
  filter: Value,
): Dispatch {
  const channels = lastOf(weight.shape) / 4;
  const tap = (r: number, s: number) => (flipped ? 8 - (3 * r + s) : 3 * r + s);
  const products = form.patch * form.patch;
  return perInvocation({
    label: "winograd weight",
    target,
    tensors: { weight: read(weight, true), filtered: write(filter, true) },
    sizes: { channels },
    count: (weight.shape[0] ?? 0) * channels,
    type: elementType(true),
    body: `  let c = i % args.channels; let k = i / args.channels;
${sandwich(form.weight, (r, s) => `weight_at((9u * k + ${tap(r, s)}u) * args.channels + c)`)}
${eachOf(form.patch, form.patch, (p, y, x) => `  filtered_set((${products}u * k + ${p}u) * args.channels + c, u${y}_${x});`)}`,
  });
}

/** A tile's image and its place there, from its number. */
const TILE_PLACE = `  let c = i % args.channels; let t = args.first + i / args.channels;
  let plane = args.tilesY * args.tilesX; let n = t / plane; let rest = t - n * plane;
  let ty = rest / args.tilesX; let tx = rest - ty * args.tilesX;`;

function transformInput(
  { target }: Contraction,
  correlation: Correlation,
  form: WinogradForm,
  patches: Value,
  { first, count }: Band,
): Dispatch {
  const { source, srcH, srcW, inner, paddingY, paddingX } = correlation;
  const { tilesY, tilesX } = tilesOf(correlation, form);
  // Four numbers of 36 places each would fill a GPU's registers.
  const wide = form.patch <= 4;
  const channels = wide ? inner / 4 : inner;
  return perInvocation({
    label: "winograd input",
    target,
    tensors: { source: read(source, wide), patches: write(patches, wide) },
    sizes: { channels, first, tilesY, tilesX, srcH, srcW, paddingY, paddingX },
    count: count * channels,
    type: elementType(wide),
    functions: `fn pixel(n: u32, y: i32, x: i32, c: u32) -> T {
  let inside = (y >= 0) & (x >= 0) & (y < i32(args.srcH)) & (x < i32(args.srcW));
  let at = ((n * args.srcH + u32(y)) * args.srcW + u32(x)) * args.channels + c;
  return select(T(0.0), source_at(select(0u, at, inside)), inside);
}`,
    body: `${TILE_PLACE}
  let y = i32(ty * ${form.tile}u) - i32(args.paddingY); let x = i32(tx * ${form.tile}u) - i32(args.paddingX);
${sandwich(form.input, (r, s) => `pixel(n, y + ${r}, x + ${s}, c)`)}
${eachOf(form.patch, form.patch, (p, r, s) => `  patches_set(${p}u * args.count + i, u${r}_${s});`)}`,
  });
}

function transformOutput(
  { target, epilogue }: Contraction,
  correlation: Correlation,
  form: WinogradForm,
  sums: Value,
  { first, count }: Band,
): Dispatch {
  const { out, outH, outW, columns } = correlation;
  const { tilesY, tilesX } = tilesOf(correlation, form);
  const wide = form.patch <= 4;
  const channels = wide ? columns / 4 : columns;
  const { tensors, finish, functions } = epilogueText(epilogue, wide, { sum: "v", at: "at" });
  return perInvocation({
    label: "winograd output",
    target,
    tensors: { sums: read(sums, wide), ...tensors, out: write(out, wide) },
    sizes: { channels, first, tilesY, tilesX, outH, outW },
    count: count * channels,
    type: elementType(wide),
    functions: `${functions}
fn put(n: u32, y: u32, x: u32, c: u32, v: T) {
  if (y >= args.outH || x >= args.outW) { return; }
  let at = ((n * args.outH + y) * args.outW + x) * args.channels + c;
  out_set(at, ${finish});
}`,
    body: `${TILE_PLACE}
  let y = ty * ${form.tile}u; let x = tx * ${form.tile}u;
${sandwich(form.output, (r, s) => `sums_at(${r * form.patch + s}u * args.count + i)`)}
${eachOf(form.tile, form.tile, (_, r, s) => `  put(n, y + ${r}u, x + ${s}u, c, u${r}_${s});`)}`,
  });
}

const eachOf = (rows: number, columns: number, text: (place: number, row: number, column: number) => string): string =>
  range(rows)
    .flatMap((r) => range(columns).map((s) => text(r * columns + s, r, s)))
    .join("\n");

interface Batch {
  readonly source: Value;
  readonly weight: Value;
  readonly out: Value;
  readonly rows: number;
  readonly products: number;
}

/** The batched product, a phase of it for every place of a patch: `[products, rows, inner]` to `[products, rows, columns]`. */
function multiply(given: Contraction, batch: Batch): readonly Dispatch[] {
  const contraction = { ...given, epilogue: {} };
  const product = batchedProduct(contraction.kind === "gather", batch);
  if (prefersShuffleTiles(contraction.target)) return [shuffleProductBy(contraction, product)];
  const { rows, columns, phases, inner } = product;
  const turns = Math.ceil(inner / TILE_DEPTH);
  return tiledProductBy(
    contraction,
    product,
    chooseTile({ rows, columns, phases, turns, wide: true }, contraction.target),
  );
}

function batchedProduct(gather: boolean, { source, weight, out, rows, products }: Batch): RowProduct {
  const [inner, columns] = [lastOf(source.shape), lastOf(out.shape)];
  return {
    ...{ rows, columns, inner, source, weight, out, phases: products, taps: 1 },
    ...{ sourceWide: true, weightWide: true, outWide: true },
    sizes: {
      ...{ rows, columns, inner, inner4: inner / 4, taps: products },
      ...{ r0: 0, r1: 1, s0: 0, s1: 1, stepR: 1, stepS: 1 },
    },
    functions: `${streamText(gather, true, true)}\n${BATCH_ROWS}`,
  };
}

/** As the rows of an image in text.ts, but a row reads the pixel of its own number, and the only tap is the phase. */
const BATCH_ROWS = `fn row_origin(m: u32, phase: u32) -> u32 { return select(NONE, (phase * args.rows + m) * args.inner4, m < args.rows); }
fn row_pixel(origin: u32, r: u32, s: u32) -> u32 { return origin; }
fn row_out(m: u32, phase: u32) -> u32 { return select(NONE, phase * args.rows + m, m < args.rows); }
fn live(phase: u32, r: u32, s: u32) -> bool { return true; }
fn live_taps(phase: u32) -> vec4u { return vec4u(0u, 0u, 1u, 1u); }
fn weight_tap(phase: u32, r: u32, s: u32) -> u32 { return phase; }`;
