import type { Dispatch } from "../op.ts";
import { read, shader, spread, write } from "../shader.ts";
import type { Lowering } from "./contraction.ts";
import { flattened } from "./contraction.ts";
import { rowProduct, uniformStoreText } from "./contraction-text.ts";

/**
 * Gather and scatter for a CPU driver with 8 lanes: a workgroup is one subgroup, holds its tile in named registers,
 * loads every value once and hands it round by `subgroupShuffle`, which is one permute there, while storage loads are
 * expanded lane by lane. No barriers. The tile is stored in a loop with a run-time bound, which keeps the text that is
 * compiled short. Two tiles: 16 rows by 32 columns (a lane owns four columns), and 32 rows by 8
 * columns (a lane owns four rows) where 32 columns would mostly be waste.
 */
export const shuffleProduct: Lowering = (given) => {
  const contraction = flattened(given);
  const product = rowProduct(contraction);
  const tall = prefersTall(product.columns);
  const tile = tall ? { rows: 32, columns: 8 } : { rows: 16, columns: 32 };
  const gather = contraction.kind === "gather";
  const tilesN = Math.ceil(product.columns / tile.columns);
  const tilesM = Math.ceil(product.rows / tile.rows);
  const store = uniformStoreText(product, contraction.epilogue);
  return [
    shader({
      label: `${contraction.kind} ${tall ? "32x8" : "16x32"} shuffle`,
      target: contraction.target,
      enable: ["subgroups"],
      tensors: {
        source: read(product.source, product.sourceWide),
        weight: read(product.weight, product.weightWide),
        ...store.tensors,
        out: write(product.out, product.outWide),
      },
      sizes: { ...product.sizes, ...store.sizes, tilesM, tilesN, stores: tall ? 8 : 16 },
      workgroupSize: [8],
      workgroups: spread(tilesM * tilesN, contraction.target),
      functions: `${product.functions}\n${store.text}`,
      main: tall ? tallMain(gather) : wideMain(gather),
    }),
  ] satisfies Dispatch[];
};

/** Small column counts leave most of a 32-wide tile idle; the tall tile costs about 1.6 times as much per product. */
export function prefersTall(columns: number): boolean {
  return Math.ceil(columns / 8) * 8 * 1.6 < Math.ceil(columns / 32) * 32;
}

const TILE = `  let t = group.x + group.y * groups.x;
  if (t >= size.tilesM * size.tilesN) { return; }
  let tm = t / size.tilesN; let tn = t - tm * size.tilesN;`;

const AXES = ["x", "y", "z", "w"] as const;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

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
  let o0 = row_origin(m + lane); let o1 = row_origin(m + 8u + lane);
${rows.map((i) => `  var s${i} = vec4f(0.0);`).join("\n")}
  for (var r = size.r0; r < size.r1; r++) { for (var s = size.s0; s < size.s1; s++) {
    let tap = r * size.tapsS + s;
    let p0 = row_pixel(o0, r, s); let p1 = row_pixel(o1, r, s);
    for (var k = 0u; k < size.inner4; k++) {
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
  for (var i = 0u; i < size.stores; i++) { store4(m + i, n4, tile[i]); }`;
}

function tallMain(gather: boolean): string {
  const own = range(4);
  const halves = ["lo", "hi"] as const;
  const load = gather
    ? "      let q = column4(n + lane, tap, k);"
    : "      let q = line4(4u * k + (lane >> 1u), tap, n / 4u + (lane & 1u));";
  const broadcast = (axis: number, half: number): string =>
    gather
      ? range(4)
          .map((j) => `subgroupShuffle(q.${AXES[axis]}, ${4 * half + j}u)`)
          .join(", ")
      : AXES.map((a) => `subgroupShuffle(q.${a}, ${2 * axis + half}u)`).join(", ");
  const step = AXES.flatMap((a, axis) =>
    halves.flatMap((half, h) => [
      `      let ${half}${axis} = vec4f(${broadcast(axis, h)});`,
      ...own.map((p) => `      ${half}_${p} = fma(vec4f(a${p}.${a}), ${half}${axis}, ${half}_${p});`),
    ]),
  );
  return `${TILE}
  let m = tm * 32u + lane; let n = tn * 8u;
${own.map((p) => `  let o${p} = row_origin(m + ${8 * p}u); var lo_${p} = vec4f(0.0); var hi_${p} = vec4f(0.0);`).join("\n")}
  for (var r = size.r0; r < size.r1; r++) { for (var s = size.s0; s < size.s1; s++) {
    let tap = r * size.tapsS + s;
${own.map((p) => `    let p${p} = row_pixel(o${p}, r, s);`).join("\n")}
    for (var k = 0u; k < size.inner4; k++) {
${own.map((p) => `      let a${p} = source4(p${p}, k);`).join("\n")}
${load}
${step.join("\n")}
    }
  } }
  var tile = array<vec4f, 8>(${own.flatMap((p) => halves.map((half) => `${half}_${p}`)).join(", ")});
  for (var i = 0u; i < size.stores; i++) { store4(m + 8u * (i >> 1u), n / 4u + (i & 1u), tile[i]); }`;
}
