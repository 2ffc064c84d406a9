import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readDatasetYaml } from "../../../src/data/dataset/dataset-yaml.ts";
import { parseYaml, YamlFault } from "../../../src/data/yaml-text.ts";
import { DataError, UsageError } from "../../../src/errors.ts";
import { readConfigFile } from "../../../src/experiment/settings/config-file.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

/** Nine levels of ten: a thousand million values in some hundred bytes. */
const LAUGHS = [
  "a0: &a0 [lol, lol]",
  ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]`),
].join("\n");

const HOSTILE: readonly (readonly [string, string, string])[] = [
  ["aliases of aliases", LAUGHS, "its aliases stand for too much"],
  ["an alias of nothing", "seed: *nobody", "nobody"],
  ["__proto__ as a key", "seed: 1\n__proto__: {polluted: 1}", '"__proto__" cannot be a key'],
  ["__proto__ further in", 'provenance:\n  "__proto__": {polluted: 1}', '"__proto__" cannot be a key'],
  ["brackets in brackets", "a: 1\nb: ".concat("[".repeat(200_000)), "line 2: "],
  ["maps in maps", "{a: ".repeat(50_000), "nested too deeply"],
  ["lists in lists", "- ".repeat(100_000), "nested too deeply"],
  ["keys in keys", "? ".repeat(100_000), "nested too deeply"],
  ["steps to the right", Array.from({ length: 400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), "nested too deeply"],
  [
    "a key of many that comes twice",
    `${Array.from({ length: 8_000 }, (_, i) => `k${i}: 1`).join("\n")}\nk7: 2`,
    "k7 stands",
  ],
  ["a text beyond all use", `# ${"x".repeat(1 << 20)}`, "this is no file of settings"],
  ["a list as a key", "? [\u009b1A, \u202ex]\n: 1", "line 1: "],
  ["a tab where none may be", "a:\n\t- b: [", "not valid YAML"],
];

test.each(HOSTILE)("%s are refused, in settings and data sets alike", async (_, text, why) => {
  const path = join(folder, "dataset.yaml");
  writeFileSync(path, text);
  const since = performance.now();
  const refusals = [caught(() => readConfigFile(path)), await readDatasetYaml(path).catch((error: unknown) => error)];
  expect(performance.now() - since).toBeLessThan(5_000);
  expect(refusals).toEqual([expect.any(UsageError), expect.any(DataError)]);
  for (const refusal of refusals) {
    expect(String(refusal)).toContain(why);
    expect(String(refusal)).toMatch(/^[^\n]*dataset\.yaml[^\n]*$/);
  }
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test("some aliases are as good as what they stand for, and keys know their lines", () => {
  const { value, lineOf } = parseYaml("one: &it [1, 2]\n\ntwo: *it\nthree: { <<: { four: 5 } }\n");
  expect(value).toMatchObject({ one: [1, 2], two: [1, 2] });
  expect([lineOf("one"), lineOf("two"), lineOf("nine")]).toEqual([1, 3, undefined]);
  expect(parseYaml("# nothing\n").value).toBeUndefined();
  expect(() => parseYaml("a: 1\na: 2")).toThrow(YamlFault);
});
