import { describe, expect, test } from "vitest";
import { lower } from "../../../src/kernels/compile/lower.ts";
import { DEFAULT_TARGET, SOFTWARE_TARGET, type Target } from "../../../src/kernels/target.ts";
import type { Graph } from "../../../src/kernels/trace/graph.ts";
import { DEFAULT_LOSS } from "../../../src/model/supervision.ts";
import { fromZoo, traceNetwork } from "../../../src/model/zoo.ts";
import { inferenceTrace } from "../../../src/training/inference-trace.ts";
import { trainingTrace } from "../../../src/training/training-trace.ts";
import { NETWORKS } from "../../support/nets.ts";
import { ADAMW } from "../../support/training-trace.ts";

/** Bindings without number: how many parts a tensor takes is not what is counted here. */
const TARGETS: Readonly<Record<string, Target>> = {
  gpu: { ...DEFAULT_TARGET, bindingLimit: 2 ** 31 },
  software: { ...SOFTWARE_TARGET, bindingLimit: 2 ** 31 },
};

const countOf = (graph: Graph, target: Target): number => lower(graph, target).length;

/** Dispatches of one image's evaluation and of a training step of two, at the published width. */
function counts(name: string) {
  const config = { ...fromZoo(name).config, height: 256, width: 256 };
  const { parameters } = traceNetwork(config, { mode: "eval", batch: 1 }).build;
  const settings = { batch: 2, loss: DEFAULT_LOSS, optimizer: ADAMW, accumulate: 1, rates: () => 1 };
  return Object.fromEntries(
    Object.entries(TARGETS).map(([of, target]) => {
      const evaluation = countOf(inferenceTrace(config, { batch: 1, parameters }).graph, target);
      return [
        of,
        { eval: evaluation, train: countOf(trainingTrace(config, parameters, target, settings).graph, target) },
      ];
    }),
  );
}

describe("dispatches of every network", () => {
  test("are those of the snapshot: npx vitest run -u test/unit/training/dispatches writes it anew, on purpose", {
    timeout: 120_000,
  }, async () => {
    const all = Object.fromEntries(NETWORKS.map((name) => [name, counts(name)]));
    const lines = Object.entries(all).map(([name, of]) => `  ${JSON.stringify(name)}: ${JSON.stringify(of)}`);
    await expect(`{\n${lines.join(",\n")}\n}\n`).toMatchFileSnapshot("dispatches.snap");
  });
});
