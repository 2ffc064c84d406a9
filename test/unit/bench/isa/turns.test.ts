import { describe, expect, test } from "vitest";
import { kernelsOf } from "../../../../bench/isa/kernels.ts";
import { turnsOf } from "../../../../bench/isa/turns.ts";
import { parseWgsl } from "../../../../bench/isa/wgsl/parse.ts";
import { networksFrom } from "../../../../src/cli/networks.ts";

const BUILTINS = `@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u, @builtin(num_workgroups) groups: vec3u`;

/** A kernel of 64 lanes with a body. */
const kernel = (body: string, functions = "") => `
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
var<workgroup> panel: array<f32, 64>;
${functions}
@compute @workgroup_size(64) fn main(${BUILTINS}) {
  let lane = local.x;
  ${body}
}`;

const FLAT = { depth: 1, barriers: 0 };

function turns(wgsl: string, args: Readonly<Record<string, number>> = {}, groups = 1, machine = FLAT) {
  return turnsOf(parseWgsl(wgsl), [groups, 1, 1], { args, machine });
}

describe("turns of loops", () => {
  test("follow from the uniform block, innermost loops only, and loops behind each other add up", () => {
    const body = `for (var r = args.r0; r < args.r1; r++) { for (var k = 0u; k < args.inner; k += 4u) { x[k] += 1.0; } }
      var item = lane; for (; item + 3u < args.stop; item += 4u) { x[item] = 0.0; } for (; item < args.stop; item++) { x[0] = 1.0; }`;
    expect(turns(kernel(body), { r0: 1, r1: 4, inner: 18, stop: 11 })).toEqual({ mean: 15 + 5, most: 20, read: true });
  });

  test("are those of the taps that a workgroup's phase meets", () => {
    const functions = "fn live(phase: u32, r: u32) -> bool { let y = i32(phase) - i32(r); return y % 2 == 0; }";
    const body = `let phase = group.x / 8u;
      for (var r = 0u; r < args.taps; r++) { if (!live(phase, r)) { continue; } for (var k = 0u; k < args.inner; k++) { x[k] = 0.0; } }`;
    expect(turns(kernel(body, functions), { taps: 3, inner: 10 }, 16)).toEqual({ mean: 15, most: 20, read: true });
  });

  test("are read behind an attribute, and by a subgroup whose lanes agree", () => {
    const body = `@diagnostic(off, chromium.subgroup_matrix_uniformity) {
      let wave = subgroupBroadcastFirst(lane / 32u);
      for (var k = 0u; k < args.inner + wave; k += 4u) { x[k] += 1.0; }
    }`;
    expect(turns(kernel(body), { inner: 16 })).toEqual({ mean: 5, most: 5, read: true });
  });

  test("are cut by the stretch of a split sum", () => {
    const body = `let begin = min(group.x * args.stretch, args.all); let end = min(begin + args.stretch, args.all);
      for (var q = begin; q < end; q += 2u) { x[q] = 0.0; }`;
    expect(turns(kernel(body), { stretch: 40, all: 100 }, 3)).toMatchObject({ mean: (20 + 20 + 10) / 3, most: 20 });
  });

  test("of a while loop that its body steers are counted by running it", () => {
    const body = `var at = 0u; while (at < args.end) { let stop = min(at + args.block, args.end);
      for (; at < stop; at++) { x[at] = 0.0; } }`;
    expect(turns(kernel(body), { end: 100, block: 30 })).toMatchObject({ mean: 100, read: true });
  });

  test("that data decides are one, and said to be unread", () => {
    expect(turns(kernel("for (var i = 0u; i < u32(x[0]); i++) { x[i] = 0.0; }"))).toEqual({
      ...{ mean: 1, most: 1, read: false },
    });
  });

  test("of a loop as long as the text says count only where the machine kept it", () => {
    const fixed = "for (var kk = 0u; kk < 16u; kk++) { x[kk] = panel[kk]; }";
    const tile = kernel(`for (var k = 0u; k < args.inner; k++) { workgroupBarrier(); panel[lane] = x[k]; ${fixed} }`);
    expect(turns(tile, { inner: 5 }, 1, { depth: 1, barriers: 1 }).mean).toBe(5);
    expect(turns(tile, { inner: 5 }, 1, { depth: 2, barriers: 0 }).mean).toBe(80);
    expect(turns(tile, { inner: 5 }, 1, { depth: 1, barriers: 0 }).mean).toBe(80);
  });

  // How many channels a norm has stands in a table in memory.
  test.each([
    [false, []],
    [true, ["updateRunning"]],
  ])("of every kernel of SvANet can be read, training: %s, but for %j", (train, byData) => {
    const [network] = networksFrom({ model: ["svanet"], size: 64, classes: 3, width: 8, encoder: "mini" });
    const kernels = network ? kernelsOf(network.config, { batch: 2, train }) : [];
    expect(kernels.length).toBeGreaterThan(20);
    const unread = kernels.filter(({ wgsl, uses: [use] }) => {
      const { args = {}, workgroups = [1, 1, 1] } = use ?? {};
      return !turnsOf(parseWgsl(wgsl), workgroups, { args, machine: FLAT }).read;
    });
    expect(unread.map(({ label }) => label)).toEqual(byData);
  });
});
