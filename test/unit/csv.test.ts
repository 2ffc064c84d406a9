import { expect, test } from "vitest";
import { csv } from "../../src/csv.ts";

test("a cell is quoted where a comma, a quote or either line end would end it; what is absent is empty", () => {
  const rows = [
    ["plain", "a,b", 'say "x"', "two\nlines", "old\rlines"],
    [0.1, -3, null, undefined, ""],
  ];
  expect(csv(rows)).toBe('plain,"a,b","say ""x""","two\nlines","old\rlines"\n0.1,-3,,,\n');
});
