import { describe, expect, test } from "vitest";
import { type AreaRule, objectAreas } from "../../../src/metrics/objects.ts";
import { imageShares, objectShares, objectStatistics, strataOf } from "../../../src/metrics/strata.ts";

const map = (...rows: string[]) => Uint8Array.from([...rows.join("")].map((cell) => (cell === "." ? 0 : Number(cell))));

/** Areas in pixels instead of percent. */
function areas(rule: AreaRule, ...rows: string[]): number[][] {
  const width = rows[0]?.length ?? 0;
  const found = objectAreas(map(...rows), rows.length, width, rule);
  return [...found.values()].map((shares) => shares.map((share) => Math.round((share * rows.length * width) / 50) / 2));
}

describe("release areas", () => {
  test("a rectangle of a x b pixels away from the border has (a - 1)(b - 1)", () => {
    expect(
      areas("release", "........", ".11111..", ".11111..", ".11111..", "........", "........", "........"),
    ).toEqual([[8]]);
  });

  test("single pixels and lines have none", () => {
    expect(areas("release", "......", ".1....", "......", "......", "......")).toEqual([[0]]);
    expect(areas("release", "......", ".111..", "......", "......", "......")).toEqual([[0]]);
  });

  test("the closing fills gaps of two pixels but not of three", () => {
    expect(areas("release", "........", ".1..1...", ".1..1...", "........", "........")).toEqual([[3]]);
    expect(areas("release", ".........", ".1...1...", ".1...1...", ".........", ".........")).toEqual([[0, 0]]);
  });

  test("the displaced closing erases at the lower right and grows at the upper left", () => {
    const corners = ["22....", "22....", "......", "...111", "...111", "...111"];
    expect(areas("release", ...corners)).toEqual([[0], [9]]);
    expect(areas("pixels", ...corners)).toEqual([[9], [4]]);
    expect(areas("release", ".....", ".....", ".....", ".....", "....1")).toEqual([[]]);
  });

  test("holes count as filled, wide ones too", () => {
    const ring = ["1111111", "1.....1", "1.....1", "1.....1", "1.....1", "1.....1", "1111111"];
    const inside = [...Array(3).fill(".............")];
    const rows = [...inside, ...ring.map((row) => `...${row}...`), ...inside];
    expect(areas("release", ...rows)).toEqual([[36]]);
    expect(areas("pixels", ...rows)).toEqual([[24]]);
  });
});

test("pixels touch across corners, and 255 is no object", () => {
  expect(areas("pixels", "1..", ".1.", "..1")).toEqual([[3]]);
  const found = objectAreas(Uint8Array.of(255, 255, 2, 0), 2, 2, "pixels");
  expect([...found]).toEqual([[2, [25]]]);
});

test("shares of an image without objects are zero and it belongs to every stratum", () => {
  expect(imageShares(new Uint8Array(12), 3, 4)).toEqual({ release: 0, pixels: 0 });
  expect(strataOf(0)).toEqual(["1", "10", "all"]);
  expect(strataOf(1)).toEqual(["10", "all"]);
  expect(strataOf(100)).toEqual([]);
  expect(strataOf(3, [2, 5, 100])).toEqual(["5", "all"]);
});

test("Table I counts classes or components", () => {
  const picture = map("11.1", "....", "2...", "...2");
  const shares = (count: "class" | "component") =>
    objectShares(picture, 4, 4, { image: 3, area: "pixels", count }).map(({ image, label, share }) => [
      image,
      label,
      share,
    ]);
  expect(shares("class")).toEqual([
    [3, 1, 12.5],
    [3, 2, 6.25],
  ]);
  expect(shares("component").map(([, label, share]) => [label, share])).toEqual([
    [1, 12.5],
    [1, 6.25],
    [2, 6.25],
    [2, 6.25],
  ]);
  expect(objectStatistics([0, 0.5, 3, 40])).toEqual({
    ultraSmall: 2,
    small: 3,
    all: 4,
    range: [0.5, 40],
    fullRange: [0, 40],
  });
  expect(objectStatistics([])).toMatchObject({ all: 0, range: undefined, fullRange: undefined });
});
