import { describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { type AnyCase, type Check, caseName } from "../../../src/checks/check.ts";
import { traceCase } from "../../../src/checks/check-case.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import { shader, write } from "../../../src/kernels/shader/shader.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { freshValue, Graph } from "../../../src/kernels/trace/graph.ts";
import type { Dispatch } from "../../../src/kernels/trace/op.ts";
import { casesFor, cooperativeKernels } from "../../support/cooperative.ts";
import { barrierCount, cooperation, isCooperative, mirrored, ORDERS, withoutBarrier } from "../../support/mirror.ts";

const TARGETS: Readonly<Record<string, Target>> = {
  "a GPU": DEFAULT_TARGET,
  "a CPU driver": SOFTWARE_TARGET,
  "a GPU with subgroups of 32": { ...DEFAULT_TARGET, subgroupSize: 32, workgroupStorage: 32768, storageBuffers: 16 },
};

/** A case with its gradients, as production lowers them. */
function traced(check: Check, one: AnyCase): Graph {
  const graph = new Graph();
  const { outputs, wanted } = traceCase(graph, check, one);
  const [output] = outputs;
  if (output && wanted.length > 0) differentiate(graph, output, graph.input("upstream", output.shape), wanted);
  return graph;
}

describe("the cases of the mirror test", () => {
  test.each(Object.keys(TARGETS))("meet every kernel whose lanes depend on one another, for %s", (name) => {
    const target = TARGETS[name] ?? DEFAULT_TARGET;
    const met = new Set(casesFor(target).flatMap(({ kernels }) => [...kernels.keys()]));
    const missed = Object.values(OP_CHECKS).flatMap((check) =>
      check.cases.flatMap((one) =>
        [...cooperativeKernels(traced(check, one), target)]
          .filter(([key]) => !met.has(key))
          .map(([, { label }]) => `${label} of ${check.name}, ${caseName(one)}`),
      ),
    );
    expect(missed).toEqual([]);
  });

  test("have tiles of both sizes, with single and with double panels", () => {
    const kernels = casesFor(DEFAULT_TARGET).flatMap((one) => [...one.kernels.values()]);
    const double = kernels.filter(({ wgsl }) => wgsl.includes("panelB1")).map(({ label }) => label);
    expect(double.sort()).toEqual([
      "gather 128x128 tile",
      "gather 128x128 tile, statistics",
      "pair 128x128 tile",
      "scatter 128x128 tile",
    ]);
    expect(kernels.filter(({ label }) => label.endsWith("64x64 tile")).length).toBeGreaterThan(0);
  });
});

/** A kernel of a workgroup of 4 x 2 x 1 lanes that writes what `main` calls `value`. */
function kernel(main: string, functions = "", workgroupSize: readonly [number, number?] = [4, 2]): Dispatch {
  const out = freshValue([64]);
  return shader({
    label: "probe",
    target: DEFAULT_TARGET,
    tensors: { out: write(out) },
    sizes: { count: 64 },
    workgroupSize,
    workgroups: [8, 1, 1],
    functions,
    main,
  });
}

/** The lane at each place of a workgroup, by the numbers that {@link mirrored} passes. */
function lanes({ uniform }: Dispatch, count: number, block: number): number[] {
  const [outerFactor = 0, outerOffset = 0, innerFactor = 0, innerOffset = 0] = [...uniform.slice(-5)];
  return Array.from({ length: count }, (_, at) => {
    const outer = (Math.floor(at / block) * outerFactor + outerOffset) % (count / block);
    return outer * block + (((at % block) * innerFactor + innerOffset) % block);
  });
}

describe("an order of lanes", () => {
  test.each([1, 2, 3, 8, 32, 64, 96, 256])("gives each of %i lanes one place", (count) => {
    const plain = kernel("  out_set(id.x, 1.0);", "", [count]);
    for (const order of Object.values(ORDERS)) {
      const found = lanes(mirrored(plain, null, order), count, count);
      expect([...found].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    }
  });

  test("reversed turns the workgroup round; mixed parts neighbours", () => {
    const plain = kernel("  out_set(id.x, 1.0);", "", [64]);
    expect(lanes(mirrored(plain, null, ORDERS.reversed), 64, 64).slice(0, 3)).toEqual([63, 62, 61]);
    const mixed = lanes(mirrored(plain, null, ORDERS.mixed), 64, 64);
    expect(Math.min(...mixed.slice(1).map((lane, i) => Math.abs(lane - (mixed[i] ?? 0))))).toBeGreaterThan(8);
  });

  test("keeps subgroups whole where a kernel uses them", () => {
    const sum = kernel("  out_set(id.x, subgroupAdd(1.0));", "", [32]);
    for (const order of Object.values(ORDERS)) {
      const found = lanes(mirrored(sum, 8, order), 32, 8);
      for (let from = 0; from < 32; from += 8) {
        expect(new Set(found.slice(from, from + 8).map((lane) => Math.floor(lane / 8))).size).toBe(1);
      }
    }
  });
});

describe("a mirrored kernel", () => {
  test("is one text for all orders, with the order in its arguments", () => {
    const plain = kernel("  out_set(id.x, f32(local.y));");
    const [first, second] = [mirrored(plain, null, ORDERS.reversed), mirrored(plain, null, ORDERS.mixed)];
    expect(first.wgsl).toBe(second.wgsl);
    expect([...first.uniform]).not.toEqual([...second.uniform]);
    expect(first.wgsl).toContain("let local = vec3u(lane % 4u, lane / 4u % 2u, lane / 8u);");
    expect(first.wgsl).not.toContain("local_invocation_id");
  });

  test("reads shuffles, nested ones too, from the place of the lane they name", () => {
    const nested = "  out_set(id.x, subgroupShuffle(subgroupShuffle(f32(lane), (lane + 1u) % 8u), args.count));";
    expect(mirrored(kernel(nested), 8, ORDERS.mixed).wgsl).toContain(
      "subgroupShuffle(subgroupShuffle(f32(lane), mirror_place((lane + 1u) % 8u)), mirror_place(args.count))",
    );
  });

  test("is refused where its lanes cannot be followed", () => {
    const broadcast = kernel("  out_set(id.x, subgroupBroadcastFirst(1.0));");
    expect(() => mirrored(broadcast, 8, ORDERS.mixed)).toThrow("probe: subgroupBroadcastFirst cannot be mirrored");
    const sum = kernel("  out_set(id.x, subgroupAdd(1.0));");
    expect(() => mirrored(sum, null, ORDERS.mixed)).toThrow("no one size");
    expect(() => mirrored({ ...sum, wgsl: "fn main() {}" }, 8, ORDERS.mixed)).toThrow("not a text of shader()");
  });

  test("loses the one barrier that is named", () => {
    const two = kernel("  workgroupBarrier(); let a = 1.0; workgroupBarrier(); out_set(id.x, a);");
    expect(barrierCount(two.wgsl)).toBe(2);
    expect(withoutBarrier(two, 0).wgsl).toContain(
      "{\n  let lane = local.x + 4u * (local.y + 2u * local.z);\n   let a = 1.0; workgroupBarrier();",
    );
    expect(withoutBarrier(two, 1).wgsl).toContain("workgroupBarrier(); let a = 1.0;  out_set");
    expect(() => withoutBarrier(two, 2)).toThrow("probe has no barrier 2");
  });
});

describe("what decides how lanes meet", () => {
  const shared = (value: string) =>
    `var<workgroup> held: array<f32, 8>;\nfn keep(lane: u32) { held[lane] = ${value}; }\n`;
  const own = (value: string) => `fn own(i: u32) -> f32 { return ${value}; }`;
  const main = "  keep(lane); workgroupBarrier(); out_set(id.x, held[7u - lane] + own(lane));";
  const text = (functions: string) => kernel(main, functions).wgsl;

  test("is the functions that touch shared memory, not those of one lane, and no number", () => {
    const plain = cooperation(text(shared("1.0") + own("1.0")));
    expect(cooperation(text(shared("1.0") + own("sqrt(2.0)")))).toBe(plain);
    expect(cooperation(text(shared("f32(lane)") + own("1.0")))).not.toBe(plain);
    expect(
      cooperation(kernel(main, shared("1.0") + own("1.0"), [8]).wgsl.replace("array<f32, 8>", "array<f32, 9>")),
    ).toBe(cooperation(kernel(main, shared("1.0") + own("1.0"), [8]).wgsl));
  });

  test("is nothing where lanes never meet", () => {
    expect(isCooperative(text(shared("1.0") + own("1.0")))).toBe(true);
    expect(isCooperative(kernel("  out_set(id.x, subgroupMax(1.0));").wgsl)).toBe(true);
    expect(isCooperative(kernel("  out_set(id.x, f32(lane));").wgsl)).toBe(false);
  });
});
