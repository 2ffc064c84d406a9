import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../../../src", import.meta.url));

/** Files of src, in src's own names, that import from a module whose path ends so. */
function importersOf(module: RegExp): string[] {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const importing = files.filter((file) =>
    [...readFileSync(join(SRC, file), "utf8").matchAll(/from "([^"]+)"/g)].some(([, from]) => module.test(from ?? "")),
  );
  return importing.map((file) => file.replaceAll("\\", "/")).sort();
}

test("rewrites and fusion are called by the assembler of programs alone", () => {
  const passes = /\/passes\/(fold-norms|fuse|halve|linear-means|rewrite|softmax-sums|weight-gradients)\.ts$/;
  expect(importersOf(passes)).toEqual(["training/passes.ts"]);
});

test("derivatives are taken by the assembler, and of single ops where these are checked and timed", () => {
  expect(importersOf(/\/differentiate\.ts$/)).toEqual([
    "bench/op-rows.ts",
    "checks/evaluate.ts",
    "index.ts",
    "training/passes.ts",
  ]);
});
