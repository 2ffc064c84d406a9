import { describe, expect, test } from "vitest";
import { standingTops } from "../../../src/objects/maxima.ts";
import { patchOf } from "../../../src/objects/patch.ts";
import { distanceMap, objectsOf, parted } from "../../../src/objects/split.ts";
import golden from "../../oracle/objects/object_split.json" with { type: "json" };

const map = (rows: readonly string[]) => Uint8Array.from(rows.join(""), Number);
const sizeOf = (rows: readonly string[]) => ({ height: rows.length, width: rows[0]?.length ?? 0 });
const placesOf = (labels: Uint8Array, value: number) => [...labels.keys()].filter((at) => labels[at] === value);

describe("SciPy and scikit-image values", () => {
  test.each(golden.cases.map((each, i) => [i, each] as const))(
    "mask %i",
    (_, { mask, depth, squares, components, objects }) => {
      const labels = map(mask);
      const size = sizeOf(mask);
      const whole = objectsOf(labels, size, 2);
      expect(whole).toHaveLength(components);
      const found = new Float64Array(labels.length);
      for (const { pixels } of whole) {
        const patch = patchOf(pixels, size.width);
        for (const [place, distance] of distanceMap(patch, size).entries()) {
          if (patch.inside[place] !== 1) continue;
          const row = Math.floor(place / patch.width) + patch.top;
          found[row * size.width + (place % patch.width) + patch.left] = distance ** 2;
        }
      }
      for (const [at, square] of squares.entries()) expect(found[at]).toBeCloseTo(square, 9);
      const sorted = objectsOf(labels, size, 2, { depths: [depth] }).map(({ pixels }) =>
        [...pixels].sort((a, b) => a - b),
      );
      expect(sorted).toEqual(objects);
    },
  );
});

describe("tops that stand out", () => {
  /** A row of pixels of these heights. */
  const topsOf = (heights: readonly number[], depth: number) => {
    const patch = patchOf([...heights.keys()], heights.length);
    const map = new Float64Array(patch.inside.length);
    map.set(heights, patch.width + 1);
    return standingTops(patch, map, depth).map((place) => place - patch.width - 1);
  };

  test("are those behind a way that goes down by more than the depth, and not by just as much", () => {
    expect(topsOf([3, 2, 3], 0.5)).toEqual([0, 2]);
    expect(topsOf([3, 2, 3], 1)).toEqual([0]);
    expect(topsOf([2, 1, 3], 1)).toEqual([2]);
  });
});

describe("parting", () => {
  const TWO = ["0000000000000", "0111100011110", "0111111111110", "0111111111110", "0111100011110", "0000000000000"];

  test("two blobs with a neck are two objects, a shallow neck leaves one", () => {
    const size = sizeOf(TWO);
    const pixels = placesOf(map(TWO), 1);
    const parts = parted(pixels, size, 0.5);
    expect(parts).toHaveLength(2);
    expect(parts.flat().sort((a, b) => a - b)).toEqual(pixels);
    expect(parted(pixels, size, 3)).toEqual([pixels]);
  });

  test("an object that fills the image stays whole", () => {
    const pixels = [0, 1, 2, 3];
    expect(parted(pixels, { width: 2, height: 2 }, 0)).toEqual([pixels]);
  });

  test("objects are listed class after class in reading order, other labels are none", () => {
    const labels = map(["202", "010", "220", "003"]);
    const found = objectsOf(labels, { width: 3, height: 4 }, 3, { depths: [1, null] });
    expect(found.map((object) => [object.class, object.pixels])).toEqual([
      [1, [4]],
      [2, [0]],
      [2, [2]],
      [2, [6, 7]],
    ]);
  });
});
