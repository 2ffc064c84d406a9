import { range } from "../../range.ts";
import { bindingCount, read, shader, spread, write } from "../../shader/shader.ts";
import type { Dispatch, Value } from "../../trace/op.ts";
import { sizeOf } from "../../trace/shape.ts";
import { chooseTile, type TileChoice } from "./choose-tile.ts";
import { type Contraction, flattened, type Lowering } from "./contraction.ts";
import { sumSplits } from "./splits.ts";
import { partText, storeText } from "./store.ts";
import { type RowProduct, rowProduct } from "./text.ts";
import {
  acrossAt,
  type Form,
  ownedQuad,
  ownedRow,
  putAcross,
  putAlong,
  TILE_DEPTH,
  tileMain,
  tileMemory,
  tileOf,
} from "./tile.ts";
import { statisticsFunctions, statisticsTail, TILE_MEMBERS, tellsStatistics } from "./tile-statistics.ts";

/** Gather and scatter for GPUs, by tiles in workgroup memory. */
export const tiledProduct: Lowering = (given) => {
  const contraction = flattened(given);
  const product = rowProduct(contraction);
  return tiledProductBy(contraction, product, choiceFor(product, contraction));
};

function choiceFor(product: RowProduct, { target }: Contraction): TileChoice {
  const { rows, columns, phases, taps, inner } = product;
  const turns = taps * Math.ceil(inner / TILE_DEPTH);
  return chooseTile({ rows, columns, phases, turns, wide: product.sourceWide }, target);
}

/** A gather by tiles, and what they tell of their columns: of each tile of `rows` rows {@link TILE_MEMBERS}. */
export interface Told {
  readonly tiles: Dispatch;
  /** `[tiles, 3, columns]`. */
  readonly partials: Value;
  /** Rows of a tile, and of all; the last tile may have fewer. */
  readonly side: number;
  readonly rows: number;
}

/**
 * As {@link tiledProduct} of a gather, with the same bits, and the partial statistics of its columns. Null where no tile has
 * the whole of a sum, its panels have no room for them, or the kernel would bind more than it may.
 */
export function tellingProduct(given: Contraction): Told | null {
  const contraction = flattened(given);
  const product = rowProduct(contraction);
  const choice = choiceFor(product, contraction);
  if (choice.splits > 1 || !tellsStatistics(choice.form)) return null;
  const { target } = contraction;
  const { side } = tileOf(choice.form);
  const { rows, columns } = product;
  const partials = contraction.scratch([Math.ceil(rows / side), TILE_MEMBERS.length, columns]);
  const [tiles] = tiledProductBy(contraction, product, choice, partials);
  const fits = tiles && bindingCount(tiles.bindings, target) <= target.storageBuffers;
  return fits ? { tiles, partials, side, rows } : null;
}

/**
 * As {@link tiledProduct}, with a form and a number of splits of the caller's choice. With splits the turns of a tile, over
 * its taps and their channels, are cut into so many stretches, whose sums are added in a second dispatch. With one, a gather's
 * tiles also tell `partials` of their columns.
 */
export function tiledProductBy(
  contraction: Contraction,
  product: RowProduct,
  { form, splits }: TileChoice,
  partials?: Value,
): Dispatch[] {
  const { target, kind, epilogue } = contraction;
  const { side, lanes } = tileOf(form);
  const tilesM = Math.ceil(product.rows / side);
  const tilesN = Math.ceil(product.columns / side);
  const out = splits > 1 ? contraction.scratch([splits, ...product.out.shape]) : product.out;
  const store = splits > 1 ? partText(product) : storeText(product, epilogue);
  const tiles = shader({
    label: `${kind} ${side}x${side} tile${partials ? ", statistics" : ""}`,
    target,
    tensors: {
      source: read(product.source, product.sourceWide),
      weight: read(product.weight, product.weightWide),
      ...store.tensors,
      out: write(out, product.outWide),
      ...(partials ? { partials: write(partials) } : {}),
    },
    sizes: {
      ...product.sizes,
      tilesM,
      tilesN,
      phases: product.phases,
      splits,
      pixels: sizeOf(product.out.shape) / product.columns,
    },
    workgroupSize: [lanes],
    workgroups: spread(tilesM * tilesN * product.phases * splits, target),
    functions: [product.functions, store.text, tileMemory(form), ...(partials ? [statisticsFunctions(form)] : [])].join(
      "\n",
    ),
    main: productMain(form, kind === "gather", partials ? statisticsTail(form) : null),
  });
  return splits > 1 ? [tiles, sumSplits(out, product.out, splits, contraction)] : [tiles];
}

/** Which tile of which phase and stretch. */
const WHICH = `  let t = group.x + group.y * groups.x;
  let tiles = args.tilesM * args.tilesN * args.phases;
  if (t >= tiles * args.splits) { return; }
  let tn = t % args.tilesN; let tm = (t / args.tilesN) % args.tilesM;
  let phase = (t / (args.tilesN * args.tilesM)) % args.phases; let split = t / tiles;`;

/** `told` is the tail that tells statistics, where it is wanted. */
function productMain(form: Form, gather: boolean, told: string | null): string {
  const { lanes, side, depthQuads, loads } = tileOf(form);
  const each = (text: (j: number) => string) => range(loads).map(text).join("\n");
  const operandB = gather ? columnsOf(form) : linesOf(form);
  const setup = `${WHICH}
  let tx = lane % ${form.across}u; let ty = lane / ${form.across}u;
  let quadA = lane % ${depthQuads}u;
${each((j) => `  let row${j} = lane / ${depthQuads}u + ${(j * lanes) / depthQuads}u; let origin${j} = row_origin(tm * ${side}u + row${j}, phase);`)}
${each((j) => `  let put${j} = ${acrossAt(form, `row${j}`, "quadA")};`)}
${operandB.setup}
${each((j) => `  ${operandB.start(j)}`)}
${firstTurn(depthQuads)}
${each((j) => `  var pixel${j} = row_pixel(origin${j}, r, s); var start${j} = pixel_start(pixel${j});`)}`;
  const advance = `    turn += 1u; k += ${depthQuads}u;
    if (k >= args.inner4) {
      k = 0u; s += args.stepS;
      if (s >= args.s1) { s = taps.y; r += args.stepR; }
      tap = tap_start(weight_tap(phase, r, s));
${each((j) => `      pixel${j} = row_pixel(origin${j}, r, s); start${j} = pixel_start(pixel${j});`)}
    }
${each((j) => `    pixel${j} = select(pixel${j}, NONE, turn >= end);`)}`;
  const fetch = `    at = min(k + quadA, args.inner4 - 1u);
${each((j) => `    a${j} = raw4(start${j}, at); b${j} = ${operandB.read(j)};`)}`;
  const put = (panelA: string, panelB: string) =>
    each(
      // Channels past the end are zero in this panel, so whatever the other holds there does not count.
      (j) => `    let ${panelA}_${j} = select(vec4f(0.0), a${j}, (pixel${j} != NONE) & (k + quadA < args.inner4));
${putAcross(form, panelA, `${panelA}_${j}`, `put${j}`)}
${operandB.put(panelB, j)}`,
    );
  return tileMain(form, { setup, advance, fetch, put, tail: productTail(form, told) });
}

/** Where a stretch begins: the turn, its channels from 4 k on, and its tap among the live ones. */
const firstTurn = (depthQuads: number): string => `  let taps = live_taps(phase);
  let perTap = (args.inner4 + ${depthQuads - 1}u) / ${depthQuads}u;
  let turns = taps.z * taps.w * perTap;
  let stretch = (turns + args.splits - 1u) / args.splits;
  var turn = min(split * stretch, turns); let end = min(turn + stretch, turns);
  let first = turn / perTap; let line = first / max(taps.w, 1u);
  var k = (turn - first * perTap) * ${depthQuads}u; var at = 0u;
  var r = taps.x + line * args.stepR; var s = taps.y + (first - line * taps.w) * args.stepS;
  var tap = tap_start(weight_tap(phase, r, s));`;

/** Gather's weight, a column's channels at a time. */
const columnsOf = (form: Form) => ({
  setup: "",
  start: (j: number) => `let column${j} = column_start(tn * ${tileOf(form).side}u + row${j});`,
  read: (j: number) => `column_walk(column${j}, tap, at)`,
  put: (panel: string, j: number) => putAcross(form, panel, `b${j}`, `put${j}`),
});

/** Scatter's weight, four columns of a channel at a time. */
function linesOf(form: Form) {
  const { lanes, sideQuads } = tileOf(form);
  const deep = (j: number) => `(lane / ${sideQuads}u + ${(j * lanes) / sideQuads}u)`;
  return {
    setup: `  let lineQuad = lane % ${sideQuads}u;`,
    start: (j: number) => `let line${j} = line_start(${deep(j)}, tn * ${sideQuads}u + lineQuad);`,
    read: (j: number) => `line_walk(line${j}, tap, k)`,
    put: (panel: string, j: number) => putAlong(form, panel, `b${j}`, deep(j), "lineQuad"),
  };
}

function productTail(form: Form, told: string | null): string {
  const { side, sideQuads } = tileOf(form);
  const quads = range(form.share / 4);
  const rows = range(form.share);
  const store = (i: number, q: number) =>
    `  ${told ? `c${i}_${q} = ` : ""}store4(split, m${i}, quad${q}, c${i}_${q}, tail${q});`;
  return [
    ...quads.map(
      (q) => `  let quad${q} = tn * ${sideQuads}u + ${ownedQuad(form, q)}; let tail${q} = tail_at(quad${q});`,
    ),
    ...rows.map((i) => `  let m${i} = row_out(tm * ${side}u + ${ownedRow(form, i)}, phase);`),
    ...rows.flatMap((i) => quads.map((q) => store(i, q))),
    ...(told ? [told] : []),
  ].join("\n");
}
