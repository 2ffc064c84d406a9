import { expect, test } from "vitest";
import { foldBorders, markBorders, withoutBorder } from "../../../src/objects/borders.ts";
import { objectsOf } from "../../../src/objects/split.ts";

const map = (rows: readonly string[]) => Uint8Array.from(rows.join(""), Number);
const sizeOf = (rows: readonly string[]) => ({ height: rows.length, width: rows[0]?.length ?? 0 });

// Background, two classes, border: sums of powers of two, so that all is exact.
const SCORES = [
  [0.25, 0.25, 0.25, 0.25],
  [0.5, 0, 0.125, 0.375],
  [0.5, 0, 0, 0.5],
  [1, 0, 0, 0],
];

test("a border's probability goes to the foreground classes in proportion, evenly where there is none", () => {
  const folded = foldBorders(Float32Array.from(SCORES.flat()), 3);
  expect([...folded]).toEqual(
    [
      [0.25, 0.375, 0.375, 0.25],
      [0.5, 0, 0.5, 0.375],
      [0.5, 0.25, 0.25, 0.5],
      [1, 0, 0, 0],
    ].flat(),
  );
  expect([...withoutBorder(folded, 3)]).toEqual([0.25, 0.375, 0.375, 0.5, 0, 0.5, 0.5, 0.25, 0.25, 1, 0, 0]);
});

test("a pixel is border where that is more than half of its foreground, from a place on", () => {
  const borders = new Uint8Array(6).fill(9);
  // Of the first pixel's 0.75 a third is border, of the second's 0.5 three quarters, of the third's 0.5 all.
  markBorders(foldBorders(Float32Array.from(SCORES.flat()), 3), 3, borders, 1);
  expect([...borders]).toEqual([9, 0, 1, 1, 0, 9]);
});

const PAIR = ["000000000", "011111110", "011111110", "011111110", "000000000"];

test("a rectangle without a neck is two objects where a border crosses it, which goes to both", () => {
  const borders = map(["000000000", "000011000", "000011000", "000011000", "000000000"]);
  const [size, labels] = [sizeOf(PAIR), map(PAIR)];
  expect(objectsOf(labels, size, 2, { depths: [0.75] })).toHaveLength(1);
  expect(objectsOf(labels, size, 2, { depths: [null], borders })).toHaveLength(1);
  const found = objectsOf(labels, size, 2, { depths: [0.75], borders });
  const columns = found.map(({ pixels }) => [...new Set(pixels.map((at) => at % size.width))].sort());
  expect(columns).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7],
  ]);
  expect(found.flatMap(({ pixels }) => pixels)).toHaveLength(21);
});

test("a piece that is not deeper than asked is no object of its own, and a border alone parts nothing", () => {
  const speck = map(["000000000", "000001010", "000001110", "000001110", "000000000"]);
  const [size, labels] = [sizeOf(PAIR), map(PAIR)];
  // The speck of one pixel is 1 away from what is none of it.
  expect(objectsOf(labels, size, 2, { depths: [0.5], borders: speck })).toHaveLength(2);
  expect(objectsOf(labels, size, 2, { depths: [1], borders: speck })).toHaveLength(1);
  expect(objectsOf(labels, size, 2, { depths: [0.5], borders: labels })).toHaveLength(1);
});

test("a border outside of objects, or in an object that was removed, changes nothing", () => {
  const borders = new Uint8Array(45).fill(1).map((one, at) => (PAIR.join("")[at] === "1" ? 0 : one));
  expect(objectsOf(map(PAIR), sizeOf(PAIR), 2, { depths: [0.5], borders })).toHaveLength(1);
});
