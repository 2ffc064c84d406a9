import { range } from "../../range.ts";
import { read, shader, spread, write } from "../../shader/shader.ts";
import type { Dispatch } from "../../trace/op.ts";
import { type Contraction, flattened, type Lowering } from "./contraction.ts";
import { uniformStoreText } from "./store.ts";
import { type RowProduct, rowProduct } from "./text.ts";

/**
 * Gather and scatter for a CPU driver with 8 lanes: a workgroup is one subgroup, holds its tile in named registers,
 * loads every value once and hands it round by `subgroupShuffle`, which is one permute there, while storage loads are
 * expanded lane by lane and component by component and cost more than all arithmetic. No barriers. The tile is stored
 * in a loop with a run-time bound, which keeps the text that is compiled short.
 *
 * Tiles: 16 rows by 32 columns (a lane owns four columns), 32 rows by 16 or by 8 columns (a lane owns four rows), for
 * layers with few channels, where wider tiles are mostly waste.
 */
export const shuffleProduct: Lowering = (given) => {
  const contraction = flattened(given);
  return [shuffleProductBy(contraction, rowProduct(contraction))];
};

/** As {@link shuffleProduct}, of a product of the caller's. */
export function shuffleProductBy({ kind, target, epilogue }: Contraction, product: RowProduct): Dispatch {
  const tile = chooseTile(product.rows * product.phases, product.columns);
  const gather = kind === "gather";
  const tilesN = Math.ceil(product.columns / tile.columns);
  const tilesM = Math.ceil(product.rows / tile.rows);
  const store = uniformStoreText(product, epilogue);
  return shader({
    label: `${kind} ${tile.rows}x${tile.columns} shuffle`,
    target,
    enable: ["subgroups"],
    tensors: {
      source: read(product.source, product.sourceWide),
      weight: read(product.weight, product.weightWide),
      ...store.tensors,
      out: write(product.out, product.outWide),
    },
    sizes: {
      ...product.sizes,
      ...store.sizes,
      tilesM,
      tilesN,
      phases: product.phases,
      stores: tile.rows === 16 ? 16 : tile.columns,
    },
    workgroupSize: [8],
    workgroups: spread(tilesM * tilesN * product.phases, target),
    functions: `${product.functions}\n${store.text}`,
    main: tile.rows === 16 ? wideMain(gather) : tallMain(gather, tile.columns),
  });
}

interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** vec4f loads for four channels of the whole tile. */
  readonly loads: number;
}

const TILES: readonly Tile[] = [
  { rows: 16, columns: 32, loads: 6 },
  { rows: 32, columns: 16, loads: 6 },
  { rows: 32, columns: 8, loads: 5 },
];

/** Measured on llvmpipe: a load costs about as much as 140 products of a lane. */
const LOAD_COST = 140;

/** The tile that covers the output at the least cost, waste at its edges included. */
function chooseTile(rows: number, columns: number): Tile {
  const cost = (tile: Tile) =>
    Math.ceil(rows / tile.rows) *
    Math.ceil(columns / tile.columns) *
    (LOAD_COST * tile.loads + (tile.rows * tile.columns) / 2);
  return TILES.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

/** Which tile of which phase; shared with contraction-tile.ts. */
export const TILE = `  let t = group.x + group.y * groups.x;
  if (t >= args.tilesM * args.tilesN * args.phases) { return; }
  let tn = t % args.tilesN; let tm = (t / args.tilesN) % args.tilesM; let phase = t / (args.tilesN * args.tilesM);`;

const AXES = ["x", "y", "z", "w"] as const;
function wideMain(gather: boolean): string {
  const rows = range(16);
  const weights = gather
    ? `${range(4)
        .map((j) => `      let q${j} = column4(4u * n4 + ${j}u, tap, k);`)
        .join("\n")}
${AXES.map((a, j) => `      let b${j} = vec4f(q0.${a}, q1.${a}, q2.${a}, q3.${a});`).join("\n")}`
    : range(4)
        .map((j) => `      let b${j} = line4(4u * k + ${j}u, tap, n4);`)
        .join("\n");
  return `${TILE}
  let m = tm * 16u; let n4 = tn * 8u + lane;
  let o0 = row_origin(m + lane, phase); let o1 = row_origin(m + 8u + lane, phase);
${rows.map((i) => `  var s${i} = vec4f(0.0);`).join("\n")}
  for (var r = args.r0; r < args.r1; r++) { for (var s = args.s0; s < args.s1; s++) {
    if (!live(phase, r, s)) { continue; }
    let tap = weight_tap(phase, r, s);
    let p0 = row_pixel(o0, r, s); let p1 = row_pixel(o1, r, s);
    for (var k = 0u; k < args.inner4; k++) {
      let a0 = source4(p0, k); let a1 = source4(p1, k);
${weights}
${rows
  .flatMap((i) =>
    AXES.map((a, j) => `      s${i} = fma(vec4f(subgroupShuffle(a${i >> 3}.${a}, ${i & 7}u)), b${j}, s${i});`),
  )
  .join("\n")}
    }
  } }
  var tile = array<vec4f, 16>(${rows.map((i) => `s${i}`).join(", ")});
  for (var i = 0u; i < args.stores; i++) { store4(row_out(m + i, phase), n4, tile[i]); }`;
}

/** A lane owns rows m, m + 8, m + 16, m + 24 and all columns; the weights are loaded across the lanes. */
function tallMain(gather: boolean, columns: number): string {
  const own = range(4);
  const quads = range(columns / 4);
  const registers = range(columns / 8);
  const load = registers
    .map((j) =>
      gather
        ? `      let q${j} = column4(n + ${8 * j}u + lane, tap, k);`
        : `      let q${j} = line4(4u * k + (lane + ${8 * j}u) / ${quads.length}u, tap, n / 4u + (lane + ${8 * j}u) % ${quads.length}u);`,
    )
    .join("\n");
  const broadcast = (axis: number, quad: number): string => {
    if (gather) {
      const first = (4 * quad) & 7;
      return range(4)
        .map((j) => `subgroupShuffle(q${quad >> 1}.${AXES[axis]}, ${first + j}u)`)
        .join(", ");
    }
    const at = axis * quads.length + quad;
    return AXES.map((a) => `subgroupShuffle(q${at >> 3}.${a}, ${at & 7}u)`).join(", ");
  };
  const step = AXES.flatMap((a, axis) =>
    quads.flatMap((quad) => [
      `      let w${axis}_${quad} = vec4f(${broadcast(axis, quad)});`,
      ...own.map((p) => `      s${p}_${quad} = fma(vec4f(a${p}.${a}), w${axis}_${quad}, s${p}_${quad});`),
    ]),
  );
  const sums = own.flatMap((p) => quads.map((quad) => `s${p}_${quad}`));
  return `${TILE}
  let m = tm * 32u + lane; let n = tn * ${columns}u;
${own.map((p) => `  let o${p} = row_origin(m + ${8 * p}u, phase);`).join("\n")}
${sums.map((sum) => `  var ${sum} = vec4f(0.0);`).join("\n")}
  for (var r = args.r0; r < args.r1; r++) { for (var s = args.s0; s < args.s1; s++) {
    if (!live(phase, r, s)) { continue; }
    let tap = weight_tap(phase, r, s);
${own.map((p) => `    let p${p} = row_pixel(o${p}, r, s);`).join("\n")}
    for (var k = 0u; k < args.inner4; k++) {
${own.map((p) => `      let a${p} = source4(p${p}, k);`).join("\n")}
${load}
${step.join("\n")}
    }
  } }
  var tile = array<vec4f, ${sums.length}>(${sums.join(", ")});
  for (var i = 0u; i < args.stores; i++) {
    store4(row_out(m + 8u * (i / ${quads.length}u), phase), n / 4u + i % ${quads.length}u, tile[i]);
  }`;
}
