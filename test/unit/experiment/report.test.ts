import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { evaluationReport, writeEvaluation } from "../../../src/index.ts";
import { Evaluation } from "../../../src/metrics/evaluation.ts";
import { RocHistogram } from "../../../src/metrics/roc.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

test("an evaluation becomes an eval.json and tables without the command line, in a folder that is made", () => {
  const evaluation = new Evaluation({ classes: 2 });
  evaluation.add(Int32Array.of(0, 1, 0, 1), Int32Array.of(0, 1, 1, 1), { name: "one", height: 2, width: 2 });
  const roc = new RocHistogram();
  roc.addForeground(Float32Array.of(0.9, 0.1, 0.2, 0.8), Int32Array.of(0, 1), 2);
  const result = {
    scoredAt: "native" as const,
    strata: evaluation.strata(),
    images: evaluation.images,
    ignored: evaluation.ignored,
    roc: roc.curve(),
  };
  const source = { checkpoint: "run/best.safetensors", data: "set", split: "test", classes: ["rest", "cell"] };
  const folder = join(scratch.path, "eval");
  const report = evaluationReport({ ...source, area: "release" }, result);
  const tables = writeEvaluation(folder, report, result);
  expect(tables.sort()).toEqual(["classes.csv", "images.csv", "roc.csv"]);
  expect(readdirSync(folder).sort()).toEqual(["classes.csv", "eval.json", "images.csv", "roc.csv"]);
  const written = JSON.parse(readFileSync(join(folder, "eval.json"), "utf8"));
  expect(written).toMatchObject({ ...source, area: "release", auc: 1, scoredAt: "native", failures: [] });
  expect(written.strata.all.foregroundDice).toBeCloseTo(80, 5);
  expect(written).not.toHaveProperty("postprocess");
  expect(readFileSync(join(folder, "images.csv"), "utf8").split("\n")[1]).toMatch(/^one,2,2,.*,native$/);
});
