import { describe, expect, test } from "vitest";
import { shapeOf, touchesEdge } from "../../../src/objects/shape.ts";
import { objectsOf } from "../../../src/objects/split.ts";
import golden from "../../oracle/objects/object_shapes.json" with { type: "json" };

const [width, height] = [golden.mask[0]?.length ?? 0, golden.mask.length];
const found = objectsOf(Uint8Array.from(golden.mask.join(""), Number), { width, height }, 2);

describe("scikit-image and SciPy values", () => {
  test("every object has a value", () => expect(found).toHaveLength(golden.objects.length));

  test.each(golden.objects.map((each, i) => [i, each] as const))("object %i", (i, expected) => {
    const pixels = found[i]?.pixels ?? [];
    const shape = shapeOf(pixels, width);
    expect(shape.area).toBe(expected.area);
    expect(shape.equivalentDiameter).toBeCloseTo(expected.equivalentDiameter, 9);
    expect(shape.perimeter).toBeCloseTo(expected.perimeter, 9);
    expect(shape.circularity).toBeCloseTo(Math.min(1, (4 * Math.PI * expected.area) / expected.perimeter ** 2), 9);
    for (const axis of [0, 1] as const) expect(shape.centroid[axis]).toBeCloseTo(expected.centroid[axis] ?? 0, 9);
    expect([shape.feretMax, shape.feretMin]).toEqual(expected.feret.map((value) => expect.closeTo(value, 9)));
    const [x = 1, y = 1] = golden.spacing;
    const mm = shapeOf(pixels, width, [x, y]);
    expect(mm.area).toBeCloseTo(expected.areaMm, 9);
    expect(mm.equivalentDiameter).toBeCloseTo(expected.equivalentDiameterMm, 9);
    expect([mm.feretMax, mm.feretMin]).toEqual(expected.feretMm.map((value) => expect.closeTo(value, 9)));
    // Crofton's directions are those of square pixels.
    expect(mm.perimeter).toBeNaN();
    expect(mm.circularity).toBeNaN();
  });
});

test("a pixel of 0.5 mm is a disc as far as can be seen", () => {
  const shape = shapeOf([4], 3, [0.5, 0.5]);
  expect(shape).toMatchObject({ area: 0.25, circularity: 1, centroid: [0.75, 0.75], feretMin: 0.5 });
  expect(shape.feretMax).toBeCloseTo(0.5 * Math.SQRT2, 12);
});

test("objects at the edge are known", () => {
  const image = { width: 4, height: 3 };
  expect([[5], [6], [5, 6]].map((pixels) => touchesEdge(pixels, image))).toEqual([false, false, false]);
  expect([[1], [4], [7], [9], [5, 6, 7]].map((pixels) => touchesEdge(pixels, image))).toEqual(Array(5).fill(true));
});
