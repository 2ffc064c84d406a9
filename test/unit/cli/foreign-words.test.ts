import { expect, test } from "vitest";
import { foreignOption } from "../../../src/cli/foreign-words.ts";

test("an option for CUDA is answered, others are left to the parser", () => {
  for (const option of ["--device", "--gpu", "--gpus", "--cuda"]) {
    expect(foreignOption(`error: unknown option '${option}'`)).toContain(
      `there is no ${option}: the GPU is found by itself`,
    );
  }
  expect(foreignOption("error: unknown option '--devise'")).toBeUndefined();
});
