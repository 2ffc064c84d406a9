import { expect, test } from "vitest";
import { csv, readCsv } from "../../src/csv.ts";

test("a cell is quoted where a comma, a quote or either line end would end it; what is absent is empty", () => {
  const rows = [
    ["plain", "a,b", 'say "x"', "two\nlines", "old\rlines"],
    [0.1, -3, null, undefined, ""],
  ];
  expect(csv(rows)).toBe('plain,"a,b","say ""x""","two\nlines","old\rlines"\n0.1,-3,,,\n');
});

test("what is written is read again, by the header's names", () => {
  const rows = [
    ["name", "a,b", 'say "x"'],
    ["two\nlines", "", '"'],
    ["", "2", ""],
  ];
  expect(readCsv(csv(rows))).toEqual([
    { name: "two\nlines", "a,b": "", 'say "x"': '"' },
    { name: "", "a,b": "2", 'say "x"': "" },
  ]);
  expect(readCsv("a,b\r\n1,2\r\n3\r\n")).toEqual([
    { a: "1", b: "2" },
    { a: "3", b: "" },
  ]);
  expect(readCsv("")).toEqual([]);
});
