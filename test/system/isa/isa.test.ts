import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { FAMILIES } from "../../../bench/isa/chips.ts";
import { readHotTable, worsened } from "../../../bench/isa/hot-table.ts";
import { findTools, type Tools } from "../../../bench/isa/machine.ts";
import { compileFor, type Source, withLayer } from "../../../bench/isa/null-device.ts";
import { type Survey, survey } from "../../../bench/isa/survey.ts";

let tools: Tools;
let found: readonly Survey[];
beforeAll(async () => {
  tools = findTools();
  found = await survey(tools);
});

describe.each(FAMILIES)("the kernels of SvANet, U-Net and svanet-text on %s", (family) => {
  const own = (): Survey => {
    const one = found.find((entry) => entry.family === family);
    if (one === undefined) throw new Error(`nothing was compiled for ${family}`);
    return one;
  };

  test("keep everything in registers", () => {
    const { kernels } = own();
    expect(kernels.length).toBeGreaterThan(100);
    expect(kernels.filter(({ spills, scratch }) => spills + scratch > 0).map(({ label }) => label)).toEqual([]);
  });

  test("that are hot are no worse than the table", () => {
    expect(worsened(readHotTable(), own())).toEqual([]);
  });
});

/** 512 numbers an invocation, which no register file holds, at places that only data tells. */
const SPILLING: Source = {
  label: "spilling",
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var held: array<vec4f, 128>;
  for (var i = 0u; i < 128u; i++) { held[i] = x[id.x + i * 64u]; }
  for (var i = 0u; i < 128u; i++) { x[id.x] += held[u32(x[i].x) % 128u] * held[127u - i]; }
}`,
};

test("a kernel that needs more registers than there are is seen", async () => {
  const { kernels } = await withLayer(tools, null, (folder) => compileFor("navi31", [SPILLING], { tools, folder }));
  expect(kernels.map(({ spills, scratch }) => spills + scratch > 0)).toEqual([true]);
});

test("a kernel that does not compile is named with the compiler's words", async () => {
  const broken = { label: "broken", wgsl: "@compute @workgroup_size(64) fn main() { nothing(); }" };
  const compiling = withLayer(tools, null, (folder) => compileFor("navi31", [broken], { tools, folder }));
  await expect(compiling).rejects.toThrow(/^broken does not compile for navi31: line 1: .*nothing/);
});

test("bench:isa prints one document, and everything else to stderr", () => {
  const network = ["--model", "unet", "--width", "8", "--size", "64", "--classes", "2", "--card", "6900"];
  const command = ["--import", "tsx", "bench/isa/main.ts", ...network, "--json"];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: "utf8" });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const { milliseconds, fps, dispatches, kernels, ...report } = JSON.parse(stdout) as Record<string, number>;
  expect(report).toMatchObject({ model: "unet", card: "6900", train: false, batch: 1, spills: 0, scratch: 0 });
  expect(fps).toBeCloseTo(1000 / Number(milliseconds), 6);
  expect(Number(dispatches)).toBeGreaterThan(Number(kernels));
  expect(stderr).toContain("compiled for navi21");
});
