/**
 * Runs a kernel of subgroup matrices where there are none: a shader's text with each matrix spread over its 32 lanes by hand,
 * eight elements of a row a lane. Products read the panels directly, so that what was loaded, whence and how it lies there, counts
 * as on a GPU; only the order of the sums of a product is our own.
 */
export function withoutMatrices(wgsl: string): string {
  if (!wgsl.includes("subgroup_matrix")) return wgsl;
  return wgsl
    .replace(/^enable (chromium_experimental_subgroup_matrix|subgroup_size_control|subgroups);\n/gm, "")
    .replace(/ @subgroup_size\(32\)/, "")
    .replace(/@diagnostic\(off, chromium\.subgroup_matrix_uniformity\) /, "")
    .replace(/subgroupBroadcastFirst\(([^()]*)\)/g, "($1)")
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, row_major>\(&panel[AB], /g, "At(false, ")
    .replace(/subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, col_major>\(&panel[AB], /g, "At(true, ")
    .replace(/subgroupMatrixMultiplyAccumulate\((\w+), (\w+), (\w+)\)/g, "multiplied(lane % 32u, $1, $2, $3)")
    .replace(/subgroupMatrixStore<row_major>\(&sums, ([^,]*), (\w+), 16u\);/g, "put(lane % 32u, $1, $2);")
    .replace(/: subgroup_matrix_result<f32, 16, 16>;/g, ": array<f32, 8>;")
    .replace(/(?=@compute)/, EMULATION);
}

const EMULATION = `struct At { columns: bool, offset: u32, stride: u32 }
fn place(at: At, row: u32, column: u32) -> u32 {
  return at.offset + select(row * at.stride + column, column * at.stride + row, at.columns);
}
fn multiplied(one: u32, left: At, right: At, sum: array<f32, 8>) -> array<f32, 8> {
  var out = sum;
  for (var e = 0u; e < min(8u, args.phases * 8u); e++) {
    for (var k = 0u; k < min(16u, args.phases * 16u); k++) {
      out[e] += f32(panelA[place(left, one / 2u, k)]) * f32(panelB[place(right, k, 8u * (one % 2u) + e)]);
    }
  }
  return out;
}
fn put(one: u32, offset: u32, sum: array<f32, 8>) {
  for (var e = 0u; e < min(8u, args.phases * 8u); e++) { sums[offset + 16u * (one / 2u) + 8u * (one % 2u) + e] = sum[e]; }
}
`;
