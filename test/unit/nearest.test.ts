import { expect, test } from "vitest";
import { editDistance, nearestName, suggestion } from "../../src/nearest.ts";

test("distance counts insertions, deletions and replacements", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("flaw", "lawn")).toBe(2);
});

test("the nearest name ignores case and separators", () => {
  expect(nearestName("batch-size", ["seed", "batchSize"])).toBe("batchSize");
  expect(nearestName("learnrate", ["seed", "size"])).toBeUndefined();
});

test("without a near name all of them are listed", () => {
  expect(suggestion("xyzzy", ["paper", "release"])).toBe("Known: paper, release.");
  expect(suggestion("xyzzy", ["up.0", "up.1"], ["up"])).toBe("Known: up.");
  expect(suggestion("releas", ["paper", "release"])).toBe("Did you mean release?");
  expect(suggestion("resnet101", ["resnet18", "resnet50"])).toBe("Known: resnet18, resnet50.");
});
