import { describe, expect, test } from "vitest";
import { clocks, conflictsOf } from "../../../../bench/isa/banks.ts";
import { parseWgsl } from "../../../../bench/isa/wgsl/parse.ts";

/** A kernel of 256 lanes, 16 across, that reads or writes a panel. */
const kernel = (body: string, type = "f32") => `
var<workgroup> panel: array<${type}, 4096>;
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(256) fn main(@builtin(local_invocation_id) local: vec3u) {
  let lane = local.x; let tx = lane % 16u; let ty = lane / 16u;
  for (var k = 0u; k < args.turns; k++) { ${body} }
}`;

/** Reads eight numbers of a panel's row, at these places. */
const columns = (place: (j: number) => string) =>
  `for (var kk = 0u; kk < 8u; kk++) { ${Array.from({ length: 8 }, (_, j) => `let b${j} = panel[kk * 128u + ${place(j)}];`).join(" ")} }`;

const factor = (body: string, type?: string) => conflictsOf(parseWgsl(kernel(body, type)), [{ turns: 3 }]);

describe("bank conflicts", () => {
  test("of eight neighbouring columns a lane are twofold, of two quads half a panel apart there are none", () => {
    expect(factor(columns((j) => `tx * 8u + ${j}u`))).toEqual({ factor: 2, unread: 0 });
    expect(factor(columns((j) => `${64 * (j >> 2)}u + tx * 4u + ${j % 4}u`))).toEqual({ factor: 1, unread: 0 });
  });

  test("of a store that turns a panel round are as many as lanes in a bank", () => {
    expect(factor("panel[lane * 32u] = x[k];")).toEqual({ factor: 32, unread: 0 });
    expect(factor("panel[lane * 33u] = x[k];")).toEqual({ factor: 1, unread: 0 });
  });

  test("there are none where all lanes read one place", () => {
    expect(factor("x[k] = panel[k];").factor).toBe(1);
  });

  test("of half floats and of vectors are those of their bytes", () => {
    expect(factor("x[k] = f32(panel[lane]);", "f16").factor).toBe(1);
    expect(factor("x[k] = panel[lane * 2u].x;", "vec4f").factor).toBe(2);
    expect(factor("x[k] = panel[lane * 8u].x;", "vec4h").factor).toBe(8);
  });

  test("are not counted at a place that data decides, which is said", () => {
    expect(factor("x[k] = panel[u32(x[lane])];")).toEqual({ factor: 1, unread: 1 });
  });

  test("of a matrix that a subgroup loads or stores at once are the driver's affair, which is said", () => {
    const load = "let m = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&panel, lane, 40u);";
    expect(factor(load, "f16")).toEqual({ factor: 1, unread: 1 });
    expect(factor("subgroupMatrixStore<row_major>(&panel, 16u * k, m, 16u);").unread).toBe(1);
  });

  test("are looked for with the sizes by which a kernel comes to its accesses", () => {
    const module = parseWgsl(kernel("panel[lane * 32u] = x[k];"));
    expect(conflictsOf(module, [{ turns: 0 }]).factor).toBe(1);
    expect(conflictsOf(module, [{ turns: 0 }, { turns: 1 }]).factor).toBe(32);
  });

  test("take a clock for each place of a bank", () => {
    const lanes = Array.from({ length: 64 }, (_, i) => i);
    expect(
      clocks(
        lanes.map((i) => 4 * i),
        4,
      ),
    ).toBe(2);
    expect(
      clocks(
        lanes.map((i) => 16 * i),
        16,
      ),
    ).toBe(8);
    expect(
      clocks(
        lanes.map((i) => 32 * i),
        16,
      ),
    ).toBe(16);
    expect(
      clocks(
        lanes.map(() => 64),
        4,
      ),
    ).toBe(2);
  });
});
