import { describe, expect, test } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { encodeGrey16 } from "../../../src/data/codec/png-grey16.ts";
import { cocoAnnotation, cocoCategories, columnRuns, packCounts } from "../../../src/data/export/coco.ts";
import { geoJsonFeature, geoJsonText } from "../../../src/data/export/geojson.ts";
import { requireRoiSize, roiBytes } from "../../../src/data/export/imagej-roi.ts";
import { labelImage } from "../../../src/data/export/label-image.ts";
import { outlinesOf } from "../../../src/data/export/outlines.ts";
import { components } from "../../../src/metrics/components.ts";
import { cocoMask, cocoRuns, evenOdd, readRoi } from "../../support/exported.ts";

const CELL = { name: "cell", colour: [255, 176, 0] } as const;

/** A mask drawn in text, `#` inside. */
function drawnMask(...rows: readonly string[]) {
  const [width, height] = [rows[0]?.length ?? 0, rows.length];
  const mask = Uint8Array.from(rows.join(""), (mark) => (mark === "#" ? 1 : 0));
  const objects = components(mask, 1, height, width).map((pixels) => ({ class: 1, pixels }));
  return { width, height, mask, objects, object: objects[0] ?? { class: 1, pixels: [] } };
}

/** A mask of noise: a pixel in `share` is inside. */
function noisyMask(width: number, height: number, share: number, seed: number) {
  let state = seed;
  const rows = Array.from({ length: height }, () =>
    Array.from({ length: width }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32 < share ? "#" : ".";
    }).join(""),
  );
  return drawnMask(...rows);
}

/** What only this object covers. */
const alone = (pixels: ArrayLike<number>, length: number) => {
  const mask = new Array<number>(length).fill(0);
  for (const at of Array.from(pixels)) mask[at] = 1;
  return mask;
};

const NOISE = [0.15, 0.4, 0.5, 0.6, 0.9].map((share, seed) => noisyMask(37, 29, share, seed + 1));

describe("outlines", () => {
  test("of a single pixel, a ring and a hole that touches the outside by a corner", () => {
    const pixel = drawnMask("...", "..#", "...");
    const corners = [[2, 1], [3, 1], [3, 2], [2, 2]]; // biome-ignore format: four corners
    expect(outlinesOf(pixel.object, 3)).toEqual([{ shell: corners, holes: [] }]);

    const ring = drawnMask("###", "#.#", "###");
    const hole = [[1, 1], [1, 2], [2, 2], [2, 1]]; // biome-ignore format: four corners
    expect(outlinesOf(ring.object, 3)).toEqual([
      {
        shell: [
          [0, 0],
          [3, 0],
          [3, 3],
          [0, 3],
        ],
        holes: [hole],
      },
    ]);

    const open = drawnMask("##.", "#.#", "###"); // the hole meets the outside at 2, 1
    const [only, ...rest] = outlinesOf(open.object, 3);
    expect(rest).toEqual([]);
    expect(only?.holes).toEqual([hole]);
    expect(only?.shell).toEqual([
      [0, 0],
      [2, 0],
      [2, 1],
      [3, 1],
      [3, 3],
      [0, 3],
    ]);
  });

  test("pixels that touch by corners alone are pieces of one object", () => {
    const { object, objects } = drawnMask("#.#", ".#.", "..#");
    expect(objects).toHaveLength(1);
    expect(outlinesOf(object, 3).map(({ shell }) => shell[0])).toEqual([
      [0, 0],
      [2, 0],
      [1, 1],
      [2, 2],
    ]);
  });

  test.each(NOISE.map((noise, index) => [index, noise] as const))(
    "of noise %i: simple rings, one shell a piece, filled they give back every object",
    (_, { width, height, objects }) => {
      expect(objects.length).toBeGreaterThan(0);
      for (const object of objects) {
        const pieces = outlinesOf(object, width);
        const rings = pieces.flatMap(({ shell, holes }) => [shell, ...holes]);
        expect(evenOdd(rings, width, height)).toEqual(alone(object.pixels, width * height));
        for (const ring of rings) {
          expect(new Set(ring.map(String)).size).toBe(ring.length);
          const upright = ring.map(([x], index) => x === ring[(index + 1) % ring.length]?.[0]);
          expect(upright.every((value, index) => value !== upright[(index + 1) % upright.length])).toBe(true);
        }
        for (const { shell, holes } of pieces) {
          expect(area(shell)).toBeGreaterThan(0);
          for (const hole of holes) expect(area(hole)).toBeLessThan(0);
        }
      }
    },
  );
});

/** Positive where the line turns right on the screen. */
function area(ring: readonly (readonly [number, number])[]): number {
  return ring.reduce((sum, [x, y], index) => {
    const [nextX, nextY] = ring[(index + 1) % ring.length] ?? [0, 0];
    return sum + (x * nextY - nextX * y) / 2;
  }, 0);
}

describe("COCO", () => {
  test("run lengths go down the columns, packed as pycocotools packs them", () => {
    const { object, width, height } = drawnMask(".##.", ".#..", "..#.", "...#");
    // pycocotools 2.0.11: mask.encode(numpy.asfortranarray(mask))["counts"]
    expect(columnRuns({ class: 1, pixels: [1, 2, 5, 10, 15] }, { width, height })).toEqual([4, 2, 2, 1, 1, 1, 4, 1]);
    expect(packCounts([4, 2, 2, 1, 1, 1, 4, 1])).toBe("422OO030");
    expect(object.pixels).toHaveLength(5);
  });

  test("long runs and large differences take several groups", () => {
    const runs = [0, 1, 1023, 4096, 17, 100_000, 3, 1, 250_000_000];
    expect(cocoRuns(packCounts(runs))).toEqual(runs);
  });

  test.each(NOISE.map((noise, index) => [index, noise] as const))(
    "every object of noise %i comes back, with its box and area",
    (_, { width, height, objects }) => {
      for (const [index, object] of objects.entries()) {
        const found = cocoAnnotation(object, { width, height }, { id: index + 1, image: 7 });
        const mask = cocoMask(cocoRuns(found.segmentation.counts), width, height);
        expect(mask).toEqual(alone(object.pixels, width * height));
        const places = mask.flatMap((inside, at) => (inside ? [at] : []));
        const [columns, rows] = [places.map((at) => at % width), places.map((at) => Math.floor(at / width))];
        const [left, top] = [Math.min(...columns), Math.min(...rows)];
        expect(found).toMatchObject({
          ...{ id: index + 1, image_id: 7, category_id: 1, area: places.length, iscrowd: 0 },
          bbox: [left, top, Math.max(...columns) - left + 1, Math.max(...rows) - top + 1],
        });
        expect(found.segmentation.size).toEqual([height, width]);
      }
    },
  );

  test("categories are the foreground classes by their index", () => {
    const names = ["background", "cell", "nucleus"].map((name) => ({ ...CELL, name }));
    expect(cocoCategories(names)).toEqual([
      { id: 1, name: "cell" },
      { id: 2, name: "nucleus" },
    ]);
  });
});

describe("GeoJSON", () => {
  test("features carry class and colour; holes are inner rings, closed by their first point", () => {
    const { object } = drawnMask("###", "#.#", "###");
    const feature = geoJsonFeature(object, 3, CELL, 4);
    expect(feature).toEqual({
      type: "Feature",
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [0, 0],
            [3, 0],
            [3, 3],
            [0, 3],
            [0, 0],
          ],
          [
            [1, 1],
            [1, 2],
            [2, 2],
            [2, 1],
            [1, 1],
          ],
        ],
        plane: { c: -1, z: 4, t: 0 },
      },
      properties: { objectType: "detection", classification: { name: "cell", color: [255, 176, 0] } },
    });
    const document: unknown = JSON.parse(geoJsonText([feature, feature]));
    expect(document).toEqual({ type: "FeatureCollection", features: [feature, feature] });
    expect(JSON.parse(geoJsonText([]))).toEqual({ type: "FeatureCollection", features: [] });
  });

  test.each(NOISE.map((noise, index) => [index, noise] as const))(
    "of noise %i, filled by the even-odd rule, is the mask",
    (_, { width, height, mask, objects }) => {
      const rings = objects.flatMap((object) => {
        const { geometry } = geoJsonFeature(object, width, CELL);
        return geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();
      });
      for (const ring of rings) expect(ring.at(-1)).toEqual(ring[0]);
      expect(
        evenOdd(
          rings.map((ring) => ring.slice(0, -1)),
          width,
          height,
        ),
      ).toEqual([...mask]);
    },
  );
});

describe("ImageJ ROIs", () => {
  test("an outline of one line is a traced ROI with name, group, colour and position", () => {
    const { object } = drawnMask("....", ".##.", ".#..", "....");
    const roi = readRoi(roiBytes({ ...object, class: 3 }, 4, { ...CELL, name: "Zelle µ" }, 11));
    expect(roi).toEqual({
      ...{ magic: "Iout", version: 228, type: 8, box: [1, 1, 3, 3], name: "Zelle µ" },
      ...{ group: 3, position: 12, stroke: [255, 255, 176, 0] },
      rings: [
        [
          [1, 1],
          [3, 1],
          [3, 2],
          [2, 2],
          [2, 3],
          [1, 3],
        ],
      ],
    });
    expect(readRoi(roiBytes({ ...object, class: 300 }, 4, CELL))).toMatchObject({ group: 0, position: 0 });
  });

  test.each(NOISE.map((noise, index) => [index, noise] as const))(
    "of noise %i, holes and pieces as composites, fill to the object",
    (_, { width, height, objects }) => {
      const types = new Set<number | undefined>();
      for (const object of objects) {
        const { rings, type } = readRoi(roiBytes(object, width, CELL));
        types.add(type);
        expect(type).toBe(rings.length === 1 ? 8 : 1);
        expect(evenOdd(rings, width, height)).toEqual(alone(object.pixels, width * height));
      }
      expect(types.has(1)).toBe(true);
    },
  );

  test("an image beyond 16 bits is refused with the cure", () => {
    expect(() => requireRoiSize("a.tif", { width: 9, height: 60_000 })).not.toThrow();
    expect(() => requireRoiSize("a.tif", { width: 60_001, height: 9 })).toThrow(
      "a.tif: 60001x9 pixels; ImageJ's ROIs end at 60000 pixels a side: use --format geojson",
    );
  });
});

describe("label images", () => {
  test("number objects from 1 on in 16 bits, 0 elsewhere", () => {
    const { objects, width, height } = drawnMask("#..#", "#...", "..##");
    const labels = labelImage(objects, { width, height }, "a.png");
    expect([...labels]).toEqual([1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 3, 3]);
    const shown = decodePng(
      encodeGrey16(
        Uint16Array.from(labels, (label) => 300 * label),
        width,
        height,
      ),
      "a.png",
    );
    expect(shown).toMatchObject({ kind: "grey", depth: 16, width, height });
    expect([...shown.samples]).toEqual([...labels].map((label) => 300 * label));
  });

  test("more objects than 16 bits number are refused with the cure", () => {
    const objects = Array.from({ length: 65_536 }, (_, at) => ({ class: 1, pixels: [at] }));
    const size = { width: 65_536, height: 1 };
    expect(labelImage(objects.slice(1), size, "a.png")[65_535]).toBe(65_535);
    expect(() => labelImage(objects, size, "a.png")).toThrow(
      /^a\.png: 65536 objects were found, and a label image of 16 bits numbers 65535; use --format coco or geojson/,
    );
  });
});
