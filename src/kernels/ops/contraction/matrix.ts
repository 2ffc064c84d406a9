import { range } from "../../range.ts";
import { read, shader, spread, write } from "../../shader/shader.ts";
import type { Dispatch } from "../../trace/op.ts";
import { type Contraction, flattened } from "./contraction.ts";
import { TILE } from "./shuffle.ts";
import { storeText } from "./store.ts";
import { rowProduct } from "./text.ts";

/** Sides of a matrix that a subgroup multiplies at once. */
const UNIT = 16;
/** Channels a turn. */
const DEPTH = 32;
/** Lanes of a subgroup, and of a workgroup: each of its four subgroups owns a quarter of the tile. */
const SUBGROUP = 32;
const LANES = 128;
/** What a line of a panel is longer than it holds, so that neighbouring lines lie in other banks. */
const PAD = 8;
const LINE = DEPTH + PAD;
/** Tiles from which on larger ones, which load less, still fill a GPU. */
const ENOUGH_TILES = 64;

/** Rows and columns of a workgroup's tile. */
export type Side = 128 | 64;

/** Bytes of both panels and of a matrix for each subgroup on its way to the output. */
const storageOf = (side: Side): number => 2 * side * LINE * 2 + 4 * UNIT * UNIT * 4;

/**
 * The tile by which gather or scatter goes through the matrix units; null where it does not. Both operands must be in half
 * precision already, so that nothing is lost on the way there, and the output as large as a tile.
 */
export function matrixSide(contraction: Contraction): Side | null {
  const { target, kind, groups } = contraction;
  if (!target.matrices || kind === "pair" || groups > 1) return null;
  const { source, weight, rows, columns, inner, phases } = rowProduct(flattened(contraction));
  const fits = (side: Side) => target.workgroupInvocations >= LANES && target.workgroupStorage >= storageOf(side);
  const half = source.dtype === "f16" && weight.dtype === "f16";
  if (!half || !fits(64) || rows < 64 || columns < 32 || inner < DEPTH) return null;
  const large = Math.ceil(rows / 128) * Math.ceil(columns / 128) * phases;
  return fits(128) && columns > 64 && large >= ENOUGH_TILES ? 128 : 64;
}

/**
 * Gather and scatter by subgroup matrices, f16 x f16 -> f32: `side` x `side` of the output a workgroup. Each turn puts 32
 * channels of its rows and columns into workgroup memory and multiplies them, two matrices deep. The sums go to the output by
 * way of workgroup memory, a matrix of each subgroup at a time, since the tail needs to know which element a lane holds.
 */
export function matrixProduct(given: Contraction, side: Side): readonly Dispatch[] {
  const contraction = flattened(given);
  const { target, kind } = contraction;
  const product = rowProduct(contraction);
  const gather = kind === "gather";
  const tilesM = Math.ceil(product.rows / side);
  const tilesN = Math.ceil(product.columns / side);
  const store = storeText(product, contraction.epilogue);
  const fixed = target.subgroupSize === SUBGROUP;
  return [
    shader({
      label: `${kind} ${side}x${side} matrices`,
      target,
      enable: [
        "f16",
        "subgroups",
        "chromium_experimental_subgroup_matrix",
        ...(fixed ? [] : ["subgroup_size_control"]),
      ],
      ...(fixed ? {} : { subgroupSize: SUBGROUP }),
      tensors: {
        source: read(product.source, product.sourceWide),
        weight: read(product.weight, product.weightWide),
        ...store.tensors,
        out: write(product.out, product.outWide),
      },
      sizes: { ...product.sizes, tilesM, tilesN, phases: product.phases },
      workgroupSize: [LANES],
      workgroups: spread(tilesM * tilesN * product.phases, target),
      functions: `${product.functions}\n${store.text}\n${memory(side, gather)}`,
      main: main(side, gather),
    }),
  ];
}

/** `panelA[row][k]`; `panelB[column][k]` of gather, whose weights lie along k, `panelB[k][column]` of scatter. */
function memory(side: Side, gather: boolean): string {
  return `var<workgroup> panelA: array<f16, ${side * LINE}>;
var<workgroup> panelB: array<f16, ${gather ? side * LINE : DEPTH * (side + PAD)}>;
var<workgroup> sums: array<f32, ${4 * UNIT * UNIT}>;`;
}

const AXES = ["x", "y", "z", "w"] as const;
const toPanel = (panel: string, at: string, value: string): string =>
  `      let h_${value} = vec4<f16>(${value}); let at_${value} = ${at};\n${AXES.map((axis, j) => `      ${panel}[at_${value} + ${j}u] = h_${value}.${axis};`).join("\n")}`;

/** vec4f of each operand that a lane fetches a turn. */
const quadsOf = (side: Side) => range((DEPTH / 4) * (side / LANES));

/**
 * A turn's loads. Along k a lane fetches neighbouring channels of one row (`rowA`, from quad `quadA` on); a scatter's weights it
 * fetches along the columns, `side / 4` lanes a channel.
 */
function fetched(side: Side, gather: boolean): string {
  const quads = quadsOf(side);
  const lines = LANES / (side / 4);
  const rows = quads.map(
    (q) => `      let a${q} = source4(select(NONE, pixel, k + quadA + ${q}u < args.inner4), k + quadA + ${q}u);`,
  );
  const weights = quads.map((q) =>
    gather
      ? `      let b${q} = column4(tn * ${side}u + rowA, tap, min(k + quadA + ${q}u, args.inner4 - 1u));`
      : `      let b${q} = line4(4u * k + ${lines * q}u + lane / ${side / 4}u, tap, tn * ${side / 4}u + lane % ${side / 4}u);`,
  );
  return [...rows, ...weights].join("\n");
}

function stored(side: Side, gather: boolean): string {
  const lines = LANES / (side / 4);
  const along = (q: number) => `rowA * ${LINE}u + 4u * (quadA + ${q}u)`;
  const across = (q: number) => `(${lines * q}u + lane / ${side / 4}u) * ${side + PAD}u + 4u * (lane % ${side / 4}u)`;
  return quadsOf(side)
    .flatMap((q) => [toPanel("panelA", along(q), `a${q}`), toPanel("panelB", gather ? along(q) : across(q), `b${q}`)])
    .join("\n");
}

/** Matrices of a subgroup's quarter along each axis. */
const own = (side: Side) => range(side / 2 / UNIT);
const each = (side: Side) => own(side).flatMap((i) => own(side).map((j) => [i, j] as const));

function multiplied(side: Side, gather: boolean): string {
  const load = (type: "left" | "right", lies: "row_major" | "col_major", from: string) =>
    `subgroupMatrixLoad<subgroup_matrix_${type}<f16, ${UNIT}, ${UNIT}>, ${lies}>(&${from})`;
  const left = (k: number, i: number) =>
    load("left", "row_major", `panelA, (left + ${UNIT * i}u) * ${LINE}u + ${UNIT * k}u, ${LINE}u`);
  const right = (k: number, j: number) =>
    gather
      ? load("right", "col_major", `panelB, (right + ${UNIT * j}u) * ${LINE}u + ${UNIT * k}u, ${LINE}u`)
      : load("right", "row_major", `panelB, ${UNIT * k * (side + PAD)}u + right + ${UNIT * j}u, ${side + PAD}u`);
  return range(DEPTH / UNIT)
    .flatMap((k) => [
      ...own(side).map((i) => `      let l${k}_${i} = ${left(k, i)};`),
      ...own(side).map((j) => `      let r${k}_${j} = ${right(k, j)};`),
      ...each(side).map(
        ([i, j]) => `      c${i}_${j} = subgroupMatrixMultiplyAccumulate(l${k}_${i}, r${k}_${j}, c${i}_${j});`,
      ),
    ])
    .join("\n");
}

/** The tail: a matrix of each subgroup to workgroup memory, from there by quads to the output. */
function finished(side: Side): string {
  const parts = range((UNIT * UNIT) / 4 / SUBGROUP);
  const columns = own(side).map((j) => {
    const quad = `(tn * ${side}u + right + ${UNIT * j}u) / 4u + one % 4u`;
    return `  let n${j} = ${quad}; let tail${j} = tail_at(n${j});`;
  });
  const store = (i: number, j: number, part: number) => `  {
    let row = one / 4u + ${8 * part}u; let at = wave * ${UNIT * UNIT}u + row * ${UNIT}u + 4u * (one % 4u);
    let v = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
    store4(0u, row_out(tm * ${side}u + left + ${UNIT * i}u + row, phase), n${j}, v, tail${j});
  }`;
  const matrices = each(side).map(
    ([i, j]) => `  workgroupBarrier();
  subgroupMatrixStore<row_major>(&sums, wave * ${UNIT * UNIT}u, c${i}_${j}, ${UNIT}u);
  workgroupBarrier();
${parts.map((part) => store(i, j, part)).join("\n")}`,
  );
  return [...columns, ...matrices].join("\n");
}

/** A subgroup's place is the same for its lanes, which the compiler's analysis of whole workgroups cannot see. */
const TRUSTED = "@diagnostic(off, chromium.subgroup_matrix_uniformity)";

function main(side: Side, gather: boolean): string {
  return `${TRUSTED} {
${TILE}
  let wave = subgroupBroadcastFirst(lane / ${SUBGROUP}u); let one = lane % ${SUBGROUP}u;
  let left = ${side / 2}u * (wave / 2u); let right = ${side / 2}u * (wave % 2u);
  let rowA = lane % ${side}u; let quadA = ${quadsOf(side).length}u * (lane / ${side}u);
  let origin = row_origin(tm * ${side}u + rowA, phase);
${each(side)
  .map(([i, j]) => `  var c${i}_${j}: subgroup_matrix_result<f32, ${UNIT}, ${UNIT}>;`)
  .join("\n")}
  for (var r = args.r0; r < args.r1; r++) { for (var s = args.s0; s < args.s1; s++) {
    if (!live(phase, r, s)) { continue; }
    let tap = r * args.tapsS + s;
    let pixel = row_pixel(origin, r, s);
    for (var k = 0u; k < args.inner4; k += ${DEPTH / 4}u) {
${fetched(side, gather)}
      workgroupBarrier();
${stored(side, gather)}
      workgroupBarrier();
${multiplied(side, gather)}
    }
  } }
${finished(side)}
}`;
}
