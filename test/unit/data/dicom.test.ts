import { describe, expect, test } from "vitest";
import { dicomValues, readDicom } from "../../../src/data/formats/dicom.ts";
import { readSegmentation } from "../../../src/data/formats/dicom-seg.ts";
import { maskOf, sortSeries, windowNotes } from "../../../src/data/formats/dicom-series.ts";
import { chooseView } from "../../../src/data/formats/window.ts";
import {
  ctElements,
  dicomBytes,
  type Element,
  encapsulated,
  rleBytes,
  type SegSpec,
  segElements,
} from "../../support/raw/dicom.ts";

const SHAPE = { rows: 2, columns: 3 };
const STORED = [0, 1024, 1064, -24, 2000, 2000];
const measured = STORED.map((value) => value - 1024);
const slice = (z: number, extra: readonly Element[] = []) =>
  ctElements({ ...SHAPE, series: "1.2", instance: `1.2.${z}`, z, values: STORED, extra });
const image = (z: number, extra: readonly Element[] = []) => readDicom(dicomBytes(slice(z, extra)), `${z}.dcm`);

describe("images", () => {
  test("explicit and implicit VR, uncompressed and run-length encoded, give the same Hounsfield units", () => {
    const elements = slice(5);
    const headless = elements.filter(([group]) => group !== 0x7fe0);
    const files = [
      dicomBytes(elements),
      dicomBytes(elements, "implicit"),
      dicomBytes(headless, "rle", encapsulated(rleBytes(STORED))),
    ];
    for (const bytes of files) {
      const dicom = readDicom(bytes, "a.dcm");
      const { width, height, values } = dicomValues(dicom);
      expect([width, height, [...values]]).toEqual([3, 2, measured]);
      expect([dicom.position, dicom.series]).toEqual([[-10, -20, 5], "1.2"]);
      // Centre 40, width 400 by the standard's linear function.
      expect(dicom.window).toEqual({ low: -160, high: 239 });
    }
  });

  test("inverted grey and fewer stored than allocated bits", () => {
    const inverted = image(0, [[0x0028, 0x0004, "CS", "MONOCHROME1"]]);
    // The values stay: low ones are bright after the window.
    expect([...dicomValues(inverted).values]).toEqual(measured);
    expect([inverted.inverted, image(0).inverted]).toEqual([true, false]);
    // 12 stored bits, signed: 0xF000 above them is no part of the value, 0x800 is the sign.
    const words = Buffer.from(Uint16Array.of(0xf001, 0x0801, 0x07ff, 0, 0, 0).buffer);
    const bits: Element[] = [
      [0x0028, 0x0101, "US", 12],
      [0x0028, 0x1052, "DS", "0"],
      [0x7fe0, 0x0010, "OW", words],
    ];
    expect([...dicomValues(image(0, bits)).values].slice(0, 3)).toEqual([1, -2047, 2047]);
  });
});

describe("what values mean", () => {
  test("padding is no value: Pixel Padding Value, or from there to the range limit, signed as the pixels are", () => {
    const padded = (...extra: Element[]) => [...dicomValues(image(0, extra)).values];
    expect(padded([0x0028, 0x0120, "SS", 65512])).toEqual(measured.with(3, Number.NaN));
    const range: Element[] = [
      [0x0028, 0x0120, "SS", 1064],
      [0x0028, 0x0121, "SS", 1024],
    ];
    expect(padded(...range)).toEqual(measured.with(1, Number.NaN).with(2, Number.NaN));
    const unsigned: Element[] = [
      [0x0028, 0x0103, "US", 0],
      [0x0028, 0x0120, "US", 65512],
    ];
    expect(padded(...unsigned)).toEqual(measured.with(3, Number.NaN));
  });

  test("windows: the three functions of the standard, the first of several", () => {
    const shown = (...extra: Element[]) => image(0, extra).window;
    expect(shown([0x0028, 0x1056, "CS", "LINEAR_EXACT"])).toEqual({ low: -160, high: 240 });
    expect(shown([0x0028, 0x1056, "CS", "SIGMOID"])).toEqual({ low: -160, high: 240, curve: "sigmoid" });
    expect(shown([0x0028, 0x1051, "DS", "0"])).toBeUndefined();
    const lists: Element[] = [
      [0x0028, 0x1050, "DS", "40\\300"],
      [0x0028, 0x1051, "DS", "400\\1500"],
    ];
    const files = [image(0, lists), image(1, lists), image(2, [[0x0028, 0x1050, "DS", "50"]])];
    const view = chooseView(() => [], { file: files[0]?.window });
    expect(windowNotes("s", view, files)).toEqual([
      "s: the first of 2 windows in its files was taken",
      "s: the first slice's window was taken for all; 1 name another (the window -150 to 249)",
    ]);
    expect(
      windowNotes(
        "s",
        chooseView(() => [], { asked: { low: 0, high: 1 } }),
        files,
      ),
    ).toEqual([]);
  });

  test("a table that gives values their meaning is refused by name", () => {
    expect(() => dicomValues(image(0, [[0x0028, 0x3000, "SQ", []]]))).toThrow(/0\.dcm.*modality table \(0028,3000\)/);
  });
});

describe("what is refused", () => {
  test("other transfer syntaxes are refused by name, other contents in a sentence", () => {
    expect(() => readDicom(dicomBytes(slice(0), "jpeg2000"), "j.dcm")).toThrow(
      /j\.dcm.*1\.2\.840\.10008\.1\.2\.4\.90: JPEG 2000 lossless; convert it/,
    );
    expect(() => readDicom(Buffer.alloc(200), "n.dcm")).toThrow(/n\.dcm.*no "DICM" at byte 128/);
    const whole = dicomBytes(slice(0));
    expect(() => dicomValues(readDicom(whole.subarray(0, whole.length - 6), "t.dcm"))).toThrow(/t\.dcm/);
    const refuse = (extra: Element, message: RegExp) => expect(() => dicomValues(image(0, [extra]))).toThrow(message);
    refuse([0x0028, 0x0004, "CS", "YBR_FULL"], /YBR_FULL; grey is read/);
    refuse([0x0028, 0x0008, "IS", "7"], /7 frames in one file/);
    refuse([0x0028, 0x0100, "US", 12], /16 bits stored in 12 bits/);
    refuse([0x0028, 0x0010, "US", 65535], /pixels of 12 bytes, 393210 are announced/);
    const rle = (fragment: Buffer) => () =>
      dicomValues(readDicom(dicomBytes(slice(0).slice(0, -1), "rle", encapsulated(fragment)), "r.dcm"));
    expect(rle(rleBytes([1, 2]))).toThrow(/r\.dcm.*run lengths/);
    expect(rle(Buffer.alloc(64))).toThrow(/0 run-length segments for pixels of 2 bytes/);
  });
});

describe("series", () => {
  test("slices are sorted along their normal, whatever the order of files", () => {
    const sorted = sortSeries([image(5), image(-2.5), image(2.5), image(0)]);
    expect(sorted.map(({ position }) => position?.[2])).toEqual([-2.5, 0, 2.5, 5]);
  });

  test("two slices at one place, another size or direction: an error naming the files", () => {
    expect(() => sortSeries([image(1), image(2), image(1)])).toThrow(/1\.dcm: has the same place as 1\.dcm/);
    const turned = image(3, [[0x0020, 0x0037, "DS", "0\\1\\0\\0\\0\\-1"]]);
    expect(() => sortSeries([image(1), turned])).toThrow(/direction differs/);
    const larger = readDicom(
      dicomBytes(
        ctElements({ rows: 4, columns: 4, series: "1.2", instance: "9", z: 9, values: new Array(16).fill(0) }),
      ),
      "l.dcm",
    );
    expect(() => sortSeries([image(1), larger])).toThrow(/l\.dcm.*4x4 pixels in a series of 3x2/);
  });
});

describe("segmentations", () => {
  const segmentation = (spec: Partial<SegSpec>) =>
    readSegmentation(
      readDicom(
        dicomBytes(segElements({ ...SHAPE, series: "1.2", labels: ["liver", "tumour"], frames: [], ...spec })),
        "s.dcm",
      ),
    );
  const classOf = (label: string) => ["liver", "tumour"].indexOf(label) + 1;

  test("binary frames, packed without gaps, find their images by instance or by position", () => {
    const found = segmentation({
      frames: [
        { segment: 2, instance: "1.2.0", pixels: [0, 1, 0, 0, 0, 0] },
        { segment: 1, instance: "1.2.0", pixels: [1, 1, 1, 0, 0, 0] },
        { segment: 1, z: 5, pixels: [0, 0, 0, 0, 0, 1] },
      ],
    });
    expect([...found.segments.values(), found.series]).toEqual(["liver", "tumour", "1.2"]);
    // Segment 2 lies on top of segment 1 whatever the order of frames.
    expect([...maskOf(image(0), [found], classOf).data]).toEqual([1, 2, 1, 0, 0, 0]);
    expect([...maskOf(image(5), [found], classOf).data]).toEqual([0, 0, 0, 0, 0, 1]);
    expect([...maskOf(image(9), [found], classOf).data]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("fractional frames count from half of the maximum", () => {
    const found = segmentation({
      fractional: true,
      frames: [{ segment: 1, z: 0, pixels: [0, 127, 128, 255, 1, 200] }],
    });
    expect([...maskOf(image(0), [found], classOf).data]).toEqual([0, 0, 1, 1, 0, 1]);
  });

  test("frames turned against the image or of another size, and unknown segments, are errors", () => {
    const turned = segmentation({
      orientation: "0\\1\\0\\1\\0\\0",
      frames: [{ segment: 1, z: 0, pixels: [1, 0, 0, 0, 0, 0] }],
    });
    expect(() => maskOf(image(0), [turned], classOf)).toThrow(/s\.dcm.*turned against 0\.dcm/);
    const larger = segmentation({ rows: 3, frames: [{ segment: 1, z: 0, pixels: new Array(9).fill(1) }] });
    expect(() => maskOf(image(0), [larger], classOf)).toThrow(/frames of 3x3 on images of 3x2/);
    expect(() => segmentation({ frames: [{ segment: 3, z: 0, pixels: [1, 0, 0, 0, 0, 0] }] })).toThrow(
      /segment 3, which is not listed/,
    );
    expect(() => segmentation({ labels: [] })).toThrow(/s\.dcm/);
  });
});
