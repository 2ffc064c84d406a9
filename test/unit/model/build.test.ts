import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Graph } from "../../../src/kernels/trace/graph.ts";
import { Build } from "../../../src/model/build.ts";
import { initialRegions, initialValues, ParameterTable, uniformByFan } from "../../../src/model/parameters.ts";
import { configFromOracle } from "../../../src/model/svanet/config.ts";
import { traceNetwork } from "../../../src/model/zoo.ts";
import { openFixture } from "../../../src/parity/run.ts";

const folder = fileURLToPath(new URL("../../fixtures/model/", import.meta.url));
const golden = readdirSync(folder);

describe("names and shapes", () => {
  test.each(golden)("equal those of %s", async (name) => {
    const file = await openFixture(`${folder}${name}`);
    const { parameters } = traceNetwork(configFromOracle(file.json("config")), { mode: "eval", batch: 2 }).build;
    for (const [prefix, kind] of [
      ["param.", "weight"],
      ["stat.", "statistic"],
      ["region.", "region"],
    ] as const) {
      const ours = parameters.list(kind).map((entry) => `${entry.name} [${entry.shape}]`);
      const theirs = file.names(prefix).map((full) => `${full.slice(prefix.length)} [${file.shapeOf(full)}]`);
      expect(ours.sort()).toEqual(theirs.sort());
    }
  });

  test("are the same in training and evaluation", async () => {
    const file = await openFixture(`${folder}mini-svanet.safetensors`);
    const config = configFromOracle(file.json("config"));
    const parameters = new ParameterTable();
    traceNetwork(config, { mode: "train", batch: 2, parameters });
    const before = parameters.list().length;
    traceNetwork(config, { mode: "eval", batch: 1, parameters, height: 96, width: 64 });
    expect(parameters.list()).toHaveLength(before);
  });

  test("that disagree are refused", () => {
    const build = new Build({ graph: new Graph(), mode: "eval" });
    const init = { kind: "constant", value: 0 } as const;
    build.scope("head", () => build.parameter("bias", [3], init));
    expect(() => build.scope("head", () => build.parameter("bias", [4], init))).toThrow(
      "weight head.bias is [3] and cannot also be a weight of [4]",
    );
  });
});

describe("storage", () => {
  test("splits a fused weight and moves channels last, and back", () => {
    const table = new ParameterTable();
    table.declare("p", [3, 2, 1, 2], "weight", { kind: "constant", value: 0 }, [1, 2]);
    const data = Float32Array.from({ length: 12 }, (_, i) => i);
    const stored = table.toStorage("p", data);
    expect(table.storage("weight")).toEqual([
      { key: "param:p/0", shape: [1, 1, 2, 2] },
      { key: "param:p/1", shape: [2, 1, 2, 2] },
    ]);
    expect([...(stored.get("param:p/0") ?? [])]).toEqual([0, 2, 1, 3]);
    expect([...(stored.get("param:p/1") ?? [])]).toEqual([4, 6, 5, 7, 8, 10, 9, 11]);
    expect([...table.fromStorage("p", (key) => stored.get(key))]).toEqual([...data]);
  });
});

describe("initial values", () => {
  const entry = { name: "a.conv.weight", shape: [8, 4, 3, 3], init: uniformByFan([8, 4, 3, 3]) };

  test("depend on seed and name alone", () => {
    expect(initialValues(entry, 3)).toEqual(initialValues({ ...entry }, 3));
    expect(initialValues(entry, 3)).not.toEqual(initialValues(entry, 4));
    expect(initialValues(entry, 3)).not.toEqual(initialValues({ ...entry, name: "b.conv.weight" }, 3));
  });

  test("fill +-1/sqrt(fan in)", () => {
    const values = [...initialValues(entry, 1)].map(Math.abs);
    expect(Math.max(...values)).toBeLessThanOrEqual(1 / 6);
    expect(Math.max(...values)).toBeGreaterThan(0.15);
  });

  test("of regions name each map of a chain", () => {
    const table = new ParameterTable();
    table.declare("guides.0-2.regions", [256], "region", { kind: "integer", count: 3 });
    const map = initialRegions(table, 5).get("guides.0-2.regions");
    expect([...new Set(map)].sort()).toEqual([0, 1, 2]);
  });
});
