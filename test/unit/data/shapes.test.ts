import { describe, expect, test } from "vitest";
import { decodePng } from "../../../src/data/codec/png.ts";
import { encodeGrey16 } from "../../../src/data/codec/png-grey16.ts";
import { instanceNumbers } from "../../../src/data/masks/instances.ts";
import { bitmapSpans, polygonSpans, type Ring, type Spans } from "../../../src/data/masks/polygon.ts";
import { decodeRuns, runsOfText } from "../../../src/data/masks/rle.ts";
import { paintShapes, type Shape } from "../../../src/data/prepare/shapes.ts";
import { BOX_CODE, BOX_RUNS } from "../../support/raw/layout-trees.ts";

/** Rows of a picture, # where spans lie. */
function drawn(spans: Spans, width: number, height: number): string[] {
  const pixels = new Array<string>(width * height).fill(".");
  for (let at = 0; at < spans.length; at += 2) {
    const start = spans[at] ?? 0;
    pixels.fill("#", start, start + (spans[at + 1] ?? 0));
  }
  return Array.from({ length: height }, (_, row) => pixels.slice(row * width, (row + 1) * width).join(""));
}
const polygon = (rings: readonly Ring[], width: number, height: number) =>
  drawn(polygonSpans(rings, { width, height }), width, height);

describe("polygons are filled by the middles of pixels", () => {
  test("corners on whole numbers are edges of pixels: 4 x 3 pixels, and a hole", () => {
    expect(polygon([[1, 1, 5, 1, 5, 4, 1, 4]], 6, 5)).toEqual(["......", ".####.", ".####.", ".####.", "......"]);
    const hole = [2, 2, 4, 2, 4, 3, 2, 3];
    expect(polygon([[1, 1, 5, 1, 5, 4, 1, 4], hole], 6, 5)).toEqual(["......", ".####.", ".#..#.", ".####.", "......"]);
  });

  test("a triangle, by hand: row 0's middle, y 0.5, is inside from x 0.5 on to 3.5, row 1's from 1.5 to 2.5", () => {
    // (0, 0) (4, 0) (2, 2): at y 0.5 the edges are at x 0.5 and 3.5, at y 1.5 at 1.5 and 2.5. A middle on the left edge is inside.
    expect(polygon([[0, 0, 4, 0, 2, 2]], 4, 2)).toEqual(["###.", ".#.."]);
  });

  test("neighbours share no pixel and leave none out, whichever way they turn", () => {
    const [left, right]: [Ring, Ring] = [
      [0, 0, 2.5, 0, 3.7, 4, 0, 4],
      [3.7, 4, 2.5, 0, 6, 0, 6, 4],
    ];
    const one = polygon([left], 6, 4).join("");
    const other = polygon([right], 6, 4).join("");
    for (let at = 0; at < 24; at++) expect([one[at], other[at]].sort()).toEqual(["#", "."]);
  });

  test("what lies outside the picture is cut off; lines and single points cover nothing", () => {
    expect(polygon([[-5, -5, 2, -5, 2, 9, -5, 9]], 3, 2)).toEqual(["##.", "##."]);
    expect(polygon([[0, 0, 3, 2]], 3, 2)).toEqual(["...", "..."]);
    expect(
      drawn(bitmapSpans([1, 1, 1, 1], { width: 2, height: 2 }, { left: 2, top: -1 }, { width: 3, height: 2 }), 3, 2),
    ).toEqual(["..#", "..."]);
  });
});

describe("COCO's run lengths", () => {
  test("are read as rleFrString of maskApi.c does, by hand", () => {
    // 17 = 0b10001: 17 + 32 (more, as bit 0x10 is set) + 48 = "a", then 0 = "0"; 47 = 15 + 32: "_", then 1 = "1".
    expect(runsOfText(BOX_CODE)).toEqual(BOX_RUNS);
    // From the fourth on differences: 4 - 9 = -5 is 27 with the bit of sign 0x10: 27 + 48 = "K".
    expect(runsOfText("291K")).toEqual([2, 9, 1, 4]);
    // 1000 = 8 + 31 * 32: 8 + 32 + 48 = "X", 31 + 32 + 48 = "o", 0 = "0".
    expect(runsOfText("Xo0")).toEqual([1000]);
    expect(runsOfText("")).toEqual([]);
  });

  test("run column by column, background first", () => {
    expect([...decodeRuns({ height: 2, width: 3, counts: [1, 2, 3] })]).toEqual([0, 1, 0, 1, 0, 0]);
    expect([...decodeRuns({ height: 2, width: 2, counts: [0, 4] })]).toEqual([1, 1, 1, 1]);
  });

  test.each([
    ["12~", 'the character "~" is no digit of it'],
    ["1P", "it is cut short"],
    [[1, 2], "its runs cover 3 pixels, 3x2 are 6"],
    [[7, -1], "a run of -1 pixels"],
    [[1.5, 4.5], "a run of 1.5 pixels"],
  ])("%j is refused", (counts, message) => {
    expect(() => decodeRuns({ height: 2, width: 3, counts })).toThrow(message);
  });
});

describe("shapes", () => {
  const box = (label: number, left: number, right: number, group?: string): Shape => ({
    ...{ label, place: `box ${left}`, ...(group === undefined ? {} : { group }) },
    outline: { kind: "polygons", polygons: [[[left, 0, right, 0, right, 1, left, 1]]] },
  });
  const painted = (shapes: readonly Shape[]) => {
    const [labels, objects] = [new Array<number>(8).fill(0), new Array<number>(8).fill(0)];
    const count = paintShapes(
      shapes,
      { size: { width: 8, height: 1 }, file: "f", first: 1 },
      (start, length, label, object) => {
        labels.fill(label, start, start + length);
        objects.fill(object, start, start + length);
      },
    );
    return { labels: labels.join(), objects: objects.join(""), count };
  };

  test("the smaller lies on top, what is ignored below all; groups are one object", () => {
    expect(painted([box(2, 2, 4), box(1, 0, 6)])).toEqual({ labels: "1,1,2,2,1,1,0,0", objects: "22112200", count: 2 });
    // Label 1 and label 2 of one group name are two objects.
    const grouped = painted([box(1, 0, 2, "g"), box(255, 1, 8), box(1, 4, 5, "g"), box(2, 6, 7, "g")]);
    expect(grouped).toEqual({ labels: "1,1,255,255,1,255,2,255", objects: "11001020", count: 2 });
  });

  test("a shape outside the picture is no object", () => {
    expect(painted([box(1, 9, 12), box(1, 0, 1)])).toEqual({
      labels: "1,0,0,0,0,0,0,0",
      objects: "10000000",
      count: 1,
    });
  });
});

describe("numbers of objects", () => {
  test("are kept up to 65535, else counted anew; 16 bits hold them exactly", () => {
    expect([...instanceNumbers(Uint32Array.from([0, 7, 65535]), 3, "f")]).toEqual([0, 7, 65535]);
    expect([...instanceNumbers(Uint32Array.from([0, 70000, 9, 65536]), 4, "f")]).toEqual([0, 3, 1, 2]);
    expect(() => instanceNumbers(Float64Array.from([0, 0.5]), 1, "f")).toThrow(
      "f: holds the value 0.5 at row 1, column 0; objects are",
    );
    expect(() => instanceNumbers(Int32Array.from([-1]), 1, "f")).toThrow("f: holds the value -1");
    const many = Uint32Array.from({ length: 65537 }, (_, at) => at);
    expect(() => instanceNumbers(many, 1, "f")).toThrow(
      "f: holds 65536 objects, a picture of a dataset folder at most 65535",
    );
    const data = Uint16Array.from([0, 1, 255, 256, 513, 65535]);
    const { depth, kind, samples } = decodePng(encodeGrey16(data, 3, 2), "f");
    expect([depth, kind, [...samples]]).toEqual([16, "grey", [...data]]);
  });
});
