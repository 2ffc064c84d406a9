import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { foreignOption, requireWeightsFile } from "../../../src/cli/foreign-words.ts";
import { resolveConfig } from "../../../src/experiment/settings/config.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-words-"));
afterAll(() => rmSync(folder, { recursive: true }));

const weights = (name: string, encoder?: string) => () =>
  requireWeightsFile(resolveConfig({ data: "d", out: "o", weights: name, encoder }));

test("weights by a name are answered with the file that is meant", () => {
  expect(weights("imagenet")).toThrow(
    "--weights imagenet: weights are a file here, and none is downloaded; those of ImageNet are " +
      "https://download.pytorch.org/models/resnet50-11ad3fa6.pth: save it and give --weights resnet50-11ad3fa6.pth",
  );
  expect(weights("imagenet", "resnet18")).toThrow("--weights resnet18-f37072fd.pth");
  expect(weights("w/none.pth")).toThrow("--weights w/none.pth: there is no such file");
});

test("weights that are there are let through", () => {
  const path = join(folder, "a.pth");
  writeFileSync(path, "");
  expect(weights(path)).not.toThrow();
});

test("an option for CUDA is answered, others are left to the parser", () => {
  for (const option of ["--device", "--gpu", "--gpus", "--cuda"]) {
    expect(foreignOption(`error: unknown option '${option}'`)).toContain(
      `there is no ${option}: the GPU is found by itself`,
    );
  }
  expect(foreignOption("error: unknown option '--devise'")).toBeUndefined();
});
