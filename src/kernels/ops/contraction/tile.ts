import { range } from "../../range.ts";
import { read, shader, spread, write } from "../../shader/shader.ts";
import { flattened, type Lowering } from "./contraction.ts";
import { TILE } from "./shuffle.ts";
import { rowProduct, storeText } from "./text.ts";

/**
 * Gather and scatter for GPUs: 256 invocations share a tile of 16 T rows by 16 T columns in workgroup memory, each
 * owning T x T of it in registers (T = 8: 128 x 128, 8 channels deep; T = 4: 64 x 64, 16 deep, for small outputs).
 * Both tiles take 8 KiB of workgroup memory, which every adapter has; each invocation loads one vec4f of either
 * operand a turn.
 */
export const tiledProduct: Lowering = (given) => {
  const contraction = flattened(given);
  const { target, kind } = contraction;
  const product = rowProduct(contraction);
  const big =
    product.phases * Math.ceil(product.rows / 128) * Math.ceil(product.columns / 128) >= 64 && product.columns > 64;
  const share = big ? 8 : 4;
  const side = 16 * share;
  const tilesM = Math.ceil(product.rows / side);
  const tilesN = Math.ceil(product.columns / side);
  const store = storeText(product, contraction.epilogue);
  return [
    shader({
      label: `${kind} ${side}x${side} tile`,
      target,
      tensors: {
        source: read(product.source, product.sourceWide),
        weight: read(product.weight, product.weightWide),
        ...store.tensors,
        out: write(product.out, product.outWide),
      },
      sizes: { ...product.sizes, tilesM, tilesN, phases: product.phases },
      workgroupSize: [256],
      workgroups: spread(tilesM * tilesN * product.phases, target),
      functions: `${product.functions}\n${store.text}\n${tileMemory(share)}`,
      main: tileMain(share, kind === "gather"),
    }),
  ];
};

/** Depth of a tile in channels: what 256 invocations fetch with one vec4f each. */
export const tileDepth = (share: number): number => 64 / share;

/** Declarations of a tile's two panels, `panelA[k][row]` and `panelB[k][column]`. */
export function tileMemory(share: number): string {
  const floats = tileDepth(share) * 16 * share;
  return `var<workgroup> panelA: array<f32, ${floats}>;\nvar<workgroup> panelB: array<f32, ${floats}>;`;
}

const AXES = ["x", "y", "z", "w"] as const;
/** The product of the two panels into the registers `c{row}_{quad}`. */
export function tileProduct(share: number): string {
  const side = 16 * share;
  const quads = share / 4;
  return `    for (var kk = 0u; kk < ${tileDepth(share)}u; kk++) {
${range(share)
  .map((i) => `      let a${i} = panelA[kk * ${side}u + ty * ${share}u + ${i}u];`)
  .join("\n")}
${range(quads)
  .map((q) => {
    const parts = range(4).map((j) => `panelB[kk * ${side}u + tx * ${share}u + ${4 * q + j}u]`);
    return `      let b${q} = vec4f(${parts.join(", ")});`;
  })
  .join("\n")}
${range(share)
  .flatMap((i) => range(quads).map((q) => `      c${i}_${q} = fma(vec4f(a${i}), b${q}, c${i}_${q});`))
  .join("\n")}
    }`;
}

export function tileRegisters(share: number): string {
  return range(share)
    .flatMap((i) => range(share / 4).map((q) => `  var c${i}_${q} = vec4f(0.0);`))
    .join("\n");
}

/** Puts a vec4f of one row along k into a panel: four depths apart. */
function scatterToPanel(panel: string, value: string, row: string, depth: string, side: number): string {
  return AXES.map((a, j) => `      ${panel}[(4u * ${depth} + ${j}u) * ${side}u + ${row}] = ${value}.${a};`).join("\n");
}

/** Puts a vec4f of one depth along rows into a panel. */
export function lineToPanel(panel: string, value: string, depth: string, quad: string, side: number): string {
  return AXES.map((a, j) => `      ${panel}[${depth} * ${side}u + 4u * ${quad} + ${j}u] = ${value}.${a};`).join("\n");
}

function tileMain(share: number, gather: boolean): string {
  const side = 16 * share;
  const depthQuads = tileDepth(share) / 4;
  const lineQuads = 4 * share;
  const weights = gather
    ? `      let wv = column4(tn * ${side}u + rowA, tap, min(k + quadA, args.inner4 - 1u));
${scatterToPanel("panelB", "wv", "rowA", "quadA", side)}`
    : `      let wv = line4(4u * k + lane / ${lineQuads}u, tap, tn * ${lineQuads}u + lane % ${lineQuads}u);
${lineToPanel("panelB", "wv", `(lane / ${lineQuads}u)`, `(lane % ${lineQuads}u)`, side)}`;
  return `${TILE}
  let tx = lane % 16u; let ty = lane / 16u;
  let rowA = lane / ${depthQuads}u; let quadA = lane % ${depthQuads}u;
  let origin = row_origin(tm * ${side}u + rowA, phase);
${tileRegisters(share)}
  for (var r = args.r0; r < args.r1; r++) { for (var s = args.s0; s < args.s1; s++) {
    if (!live(phase, r, s)) { continue; }
    let tap = r * args.tapsS + s;
    let pixel = row_pixel(origin, r, s);
    for (var k = 0u; k < args.inner4; k += ${depthQuads}u) {
      // Channels past the end are zero in this panel, so whatever the other holds there does not count.
      let av = source4(select(NONE, pixel, k + quadA < args.inner4), k + quadA);
      workgroupBarrier();
${scatterToPanel("panelA", "av", "rowA", "quadA", side)}
${weights}
      workgroupBarrier();
${tileProduct(share)}
    }
  } }
${range(share)
  .flatMap((i) =>
    range(share / 4).map(
      (q) =>
        `  store4(row_out(tm * ${side}u + ty * ${share}u + ${i}u, phase), tn * ${lineQuads}u + tx * ${share / 4}u + ${q}u, c${i}_${q});`,
    ),
  )
  .join("\n")}`;
}
