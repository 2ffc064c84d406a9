import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { type AnyCase, type Check, caseName } from "../../../src/checks/check.ts";
import { traceCase } from "../../../src/checks/check-case.ts";
import { OP_CHECKS } from "../../../src/checks/op-checks.ts";
import { lower } from "../../../src/kernels/compile/lower.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { resizeBilinear } from "../../../src/kernels/ops/resize.ts";
import { OPS, type OpName } from "../../../src/kernels/ops.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";

/** Adapters that lead to different kernels. */
const TARGETS: Readonly<Record<string, Target>> = {
  "the default limits": DEFAULT_TARGET,
  "a CPU driver": SOFTWARE_TARGET,
  "a GPU with subgroups of 32": { ...DEFAULT_TARGET, subgroupSize: 32, workgroupStorage: 32768, storageBuffers: 16 },
  "bindings of 4096 bytes": { ...DEFAULT_TARGET, bindingLimit: 4096, storageBuffers: 512 },
};

/** A case with its gradients. */
function trace(check: Check, one: AnyCase): Graph {
  const graph = new Graph();
  const { outputs, wanted } = traceCase(graph, check, one);
  const [output] = outputs;
  if (output && wanted.length > 0) differentiate(graph, output, graph.input("upstream", output.shape), wanted);
  return graph;
}

/** Texts by the case that first had them. */
function shaders(target: Target): Map<string, string> {
  const texts = new Map<string, string>();
  for (const check of Object.values(OP_CHECKS)) {
    for (const one of check.cases) {
      const label = `${check.name} ${caseName(one)}`;
      for (const { wgsl } of lower(trace(check, one), target)) texts.set(wgsl, texts.get(wgsl) ?? label);
    }
  }
  return texts;
}

/**
 * What is wrong with a shader. One with more bindings, or for a target with more workgroup memory, than the null adapter
 * has is read but makes no pipeline.
 */
async function complaints(
  device: Device,
  { workgroupStorage }: Target,
  wgsl: string,
  label: string,
): Promise<readonly string[]> {
  const bindings = wgsl.split("var<storage").length - 1;
  if (bindings <= device.target.storageBuffers && workgroupStorage <= device.target.workgroupStorage) {
    await device.pipeline(wgsl, label);
    return [];
  }
  const { messages } = await device.gpu.createShaderModule({ label, code: wgsl }).getCompilationInfo();
  return messages.map(({ message }) => `${label}: ${message}`);
}

describe("every shader of every op", () => {
  let device: Device;
  const checked = new Set<string>();
  beforeAll(async () => {
    device = await openDevice({ backend: "null" });
  });
  afterAll(() => device.close());

  test.each(Object.keys(TARGETS))("compiles for %s", async (name) => {
    const target = TARGETS[name] ?? DEFAULT_TARGET;
    for (const [wgsl, label] of shaders(target)) {
      if (checked.has(wgsl)) continue;
      checked.add(wgsl);
      expect(await complaints(device, target, wgsl, label)).toEqual([]);
    }
    device.check();
  });
});

describe("the table of ops", () => {
  test("has each op by its own name, and its check", () => {
    for (const [name, op] of Object.entries(OPS)) {
      expect(op.name).toBe(name);
      expect(OP_CHECKS[name as OpName].op).toBe(op);
    }
    expect(Object.keys(OP_CHECKS).sort()).toEqual(Object.keys(OPS).sort());
  });

  test("does not compile with an op that has no check", () => {
    const { relu: _, ...others } = OP_CHECKS;
    // @ts-expect-error relu is in the table of ops
    const incomplete: { readonly [N in OpName]: Check } = others;
    expect(Object.keys(incomplete)).not.toContain("relu");
  });

  test.each(Object.values(OP_CHECKS))("has cases for $name, each of another name", ({ cases }) => {
    expect(cases.length).toBeGreaterThan(0);
    expect(new Set(cases.map(caseName)).size).toBe(cases.length);
  });

  test("holds every op that a file of src/kernels/ops exports", async () => {
    const folder = new URL("../../../src/kernels/ops/", import.meta.url);
    const exported: string[] = [];
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    )) {
      const members: Record<string, unknown> = await import(new URL(file, folder).href);
      for (const member of Object.values(members)) {
        if (typeof member === "object" && member !== null && "lower" in member && "name" in member) {
          exported.push(String(member.name));
        }
      }
    }
    const known = new Set(Object.keys(OPS));
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.filter((name) => !known.has(name))).toEqual([]);
  });

  test("has at most six inputs an op, so that the default limits suffice", () => {
    expect(Object.values(OPS).filter((op) => op.inputs.length > 6)).toEqual([]);
  });
});

describe("the null back end", () => {
  test("refuses a shader that is wrong", async () => {
    const device = await openDevice({ backend: "null" });
    try {
      const wrong = "@compute @workgroup_size(1) fn main() { let patch = 1.0; }";
      await expect(device.pipeline(wrong, "wrong")).rejects.toThrow(/wrong does not compile.*reserved/);
    } finally {
      device.close();
    }
  });
});

describe("texts", () => {
  test("do not depend on sizes", () => {
    const text = (h: number) => {
      const graph = new Graph();
      const x = graph.input("x", [1, h, 5, 8]);
      graph.apply(resizeBilinear, { x }, { height: 9, width: 3, alignCorners: true });
      return lower(graph, DEFAULT_TARGET).map(({ wgsl }) => wgsl);
    };
    expect(text(7)).toEqual(text(30));
  });
});
