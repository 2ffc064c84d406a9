/**
 * Runs a kernel of subgroup matrices where there are none: a shader's text with each matrix spread over its 32 lanes by hand,
 * eight elements of a row a lane. Products read the panels directly, so that what was loaded, whence and how it lies there, counts
 * as on a GPU; only the order of the sums of a product is our own. The products of a turn become one loop: a software driver
 * takes minutes over as many copies as a GPU wants.
 */
export function withoutMatrices(wgsl: string): string {
  if (!wgsl.includes("subgroup_matrix")) return wgsl;
  return looped(wgsl)
    .replace(/^enable (chromium_experimental_subgroup_matrix|subgroup_size_control|subgroups);\n/gm, "")
    .replace(/ @subgroup_size\(32\)/, "")
    .replace(/@diagnostic\(off, chromium\.subgroup_matrix_uniformity\) /, "")
    .replace(/subgroupBroadcastFirst\(([^()]*)\)/g, "($1)")
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, row_major>\(&panel[AB], /g, "At(false, ")
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, col_major>\(&panel[AB], /g, "At(true, ")
    .replace(
      /subgroupMatrixStore<row_major>\(&sums, ([^,]*), c(\d)_(\d), 16u\);/g,
      "put(lane % 32u, $1, c[2 * $2 + $3]);",
    )
    .replace(/ {2}var c\d_\d: subgroup_matrix_result<f32, 16, 16>;\n/g, "")
    .replace(/(?=@compute)/, EMULATION);
}

/** The products of a tile of 64, four matrices a subgroup, as a loop whose bound the compiler does not know. */
function looped(wgsl: string): string {
  const product = / {6}c\d_\d = subgroupMatrixMultiplyAccumulate\([^)]*\);\n/g;
  if ((wgsl.match(product) ?? []).length !== 8)
    throw new Error("not the products of a 64 x 64 tile, two matrices deep");
  const loop = `      var left_at = array<At, 4>(l0_0, l0_1, l1_0, l1_1); var right_at = array<At, 4>(r0_0, r0_1, r1_0, r1_1);
      for (var one_product = 0u; one_product < 8u * min(1u, args.phases); one_product++) {
        let deep = one_product / 4u; let own = one_product % 4u;
        c[own] = multiplied(lane % 32u, left_at[2u * deep + own / 2u], right_at[2u * deep + own % 2u], c[own]);
      }
`;
  const [before, ...after] = wgsl.replace(product, "PRODUCT").split(/(?:PRODUCT)+(?=\s*\}\n {2}\} \})/);
  return [before?.replaceAll("PRODUCT", ""), ...after].join(loop);
}

const EMULATION = `struct At { columns: bool, offset: u32, stride: u32 }
var<private> c: array<array<f32, 8>, 4>;
fn place(at: At, row: u32, column: u32) -> u32 {
  return at.offset + select(row * at.stride + column, column * at.stride + row, at.columns);
}
fn multiplied(one: u32, left: At, right: At, sum: array<f32, 8>) -> array<f32, 8> {
  var out = sum;
  for (var e = 0u; e < 8u * min(1u, args.phases); e++) {
    for (var k = 0u; k < 16u * min(1u, args.phases); k++) {
      out[e] += f32(panelA[place(left, one / 2u, k)]) * f32(panelB[place(right, k, 8u * (one % 2u) + e)]);
    }
  }
  return out;
}
fn put(one: u32, offset: u32, sum: array<f32, 8>) {
  for (var e = 0u; e < 8u * min(1u, args.phases); e++) { sums[offset + 16u * (one / 2u) + 8u * (one % 2u) + e] = sum[e]; }
}
`;
