import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differentiate } from "../../../src/autograd/differentiate.ts";
import { lower } from "../../../src/kernels/compile/lower.ts";
import type { Device } from "../../../src/kernels/device/device.ts";
import { OPS } from "../../../src/kernels/ops.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { openDevice } from "../../../src/platform/node/open-device.ts";
import { OP_CASES, type OpCase, traceCase } from "../../support/op-cases.ts";

/** Adapters that lead to different kernels. */
const TARGETS: Readonly<Record<string, Target>> = {
  "the default limits": DEFAULT_TARGET,
  "a CPU driver": SOFTWARE_TARGET,
  "a GPU with subgroups of 32": { ...DEFAULT_TARGET, subgroupSize: 32, workgroupStorage: 32768, storageBuffers: 16 },
  "bindings of 4096 bytes": { ...DEFAULT_TARGET, bindingLimit: 4096, storageBuffers: 64 },
};

/** A case with its gradients. */
function trace(opCase: OpCase): Graph {
  const graph = new Graph();
  const traced = traceCase(graph, opCase);
  if (traced && traced.sources.length > 0) {
    const seed = graph.input("upstream", traced.output.shape);
    differentiate(graph, traced.output, seed, traced.sources);
  }
  return graph;
}

function shaders(target: Target): Map<string, string> {
  const texts = new Map<string, string>();
  for (const opCase of OP_CASES) {
    for (const { wgsl } of lower(trace(opCase), target)) texts.set(wgsl, texts.get(wgsl) ?? opCase.name);
  }
  return texts;
}

/** What is wrong with a shader. One with more bindings than the null adapter allows is read but makes no pipeline. */
async function complaints(device: Device, wgsl: string, label: string): Promise<readonly string[]> {
  const bindings = wgsl.split("var<storage").length - 1;
  if (bindings <= device.target.storageBuffers) {
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
      expect(await complaints(device, wgsl, label)).toEqual([]);
    }
    device.check();
  });
});

describe("the list of ops", () => {
  test("names each op once, with a case for each", () => {
    const names = OPS.map((op) => op.name);
    expect(new Set(names).size).toBe(names.length);
    const tried = new Set(OP_CASES.map(({ op }) => op.name));
    expect(names.filter((name) => !tried.has(name))).toEqual([]);
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
    const known = new Set(OPS.map((op) => op.name));
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.filter((name) => !known.has(name))).toEqual([]);
  });

  test("has at most six inputs an op, so that the default limits suffice", () => {
    expect(OPS.filter((op) => op.inputs.length > 6).map((op) => op.name)).toEqual([]);
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
      const resize = OP_CASES.find(({ op }) => op.name === "resizeBilinear");
      if (!resize) throw new Error("there is no case");
      traceCase(graph, { ...resize, inputs: { x: [1, h, 5, 8] } });
      return lower(graph, DEFAULT_TARGET).map(({ wgsl }) => wgsl);
    };
    expect(text(7)).toEqual(text(30));
  });
});
