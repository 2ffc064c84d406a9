import { expect, test } from "vitest";
import { visible, visibleInLine, visibleJson } from "../../src/visible.ts";

/** A colour, a bell, a cursor up, C1's one-byte CSI, turned writing, no width, a byte order mark, a tag character. */
const PLANTED = "a\u001b[31mb\u0007\u001b[Ac\u009b2Jd\u202egnp\u2066e\u200bf\ufeffg\u{e0041}h\u007fi\r";
const SHOWN = "a\\x1b[31mb\\x07\\x1b[Ac\\x9b2Jd\\u202egnp\\u2066e\\u200bf\\ufeffg\\u{e0041}h\\x7fi\\x0d";

test("what a terminal would obey or hide is written as an escape", () => {
  expect(visible(PLANTED)).toBe(SHOWN);
  expect(visibleInLine(PLANTED)).toBe(SHOWN);
});

test("every control character and turning mark is among them", () => {
  const codes = [
    ...Array.from({ length: 0x20 }, (_, code) => code).filter((code) => code !== 10),
    ...Array.from({ length: 0x21 }, (_, at) => 0x7f + at),
    ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029],
  ];
  for (const code of codes) expect(visible(String.fromCodePoint(code))).toMatch(/^\\[xu]/);
});

test("letters of any script, signs and emoji stay", () => {
  const text = "Größe 5 µm, 肝臓, كبد, ½ ✓ 🫀 é\\n";
  expect(visible(text)).toBe(text);
});

test("our own line feeds stay, those within a name do not", () => {
  expect(visible("one\ntwo")).toBe("one\ntwo");
  expect(visibleInLine("one\ntwo")).toBe("one\\x0atwo");
});

test("JSON keeps its value and its lines", () => {
  const document = { [PLANTED]: [PLANTED, 1] };
  const text = visibleJson(JSON.stringify(document, null, 2));
  expect(JSON.parse(text)).toEqual(document);
  expect(visible(text)).toBe(text);
  expect(text.split("\n")).toHaveLength(6);
});
