import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readImage, writePng } from "../../../src/data/decode.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { textSize, writeText } from "../../../src/data/image/letters.ts";
import {
  chooseImages,
  EvalPictures,
  verdictLegend,
  writeOverlay,
} from "../../../src/experiment/evaluate/eval-pictures.ts";
import { judgedOverlay, overlay, VERDICTS } from "../../../src/experiment/evaluate/overlay.ts";
import { PackedMap } from "../../../src/experiment/evaluate/packed-map.ts";
import { picturePage } from "../../../src/experiment/evaluate/picture-page.ts";
import { scratchFolder } from "../../support/training.ts";

const scratch = scratchFolder();
afterAll(() => scratch.remove());

const pixelOf = ({ data, width }: ByteImage, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x)).subarray(0, 3),
];

/** Whether a colour stands anywhere in a picture. */
const holds = (picture: ByteImage, colour: readonly number[]) =>
  Array.from({ length: picture.width * picture.height }, (_, at) => [
    ...picture.data.subarray(3 * at, 3 * at + 3),
  ]).some((own) => own.every((value, c) => value === colour[c]));

describe("letters", () => {
  test("are written in dots, their marks left out, as a question mark where they have no form", () => {
    const shown = (text: string) => {
      const { width, height } = textSize(text, 1);
      const picture = filled({ width, height }, 1, 0);
      writeText(picture, text, { left: 0, top: 0, scale: 1 }, [1]);
      return Array.from({ length: height }, (_, y) => picture.data.slice(y * width, (y + 1) * width).join(""));
    };
    expect(shown("Ti")).toEqual([
      "11111000100",
      "00100000000",
      "00100001100",
      "00100000100",
      "00100000100",
      "00100000100",
      "00100001110",
      "00000000000",
    ]);
    expect(shown("é")).toEqual(shown("e"));
    expect(shown("細")).toEqual(shown("?"));
    expect(shown("")).toEqual(Array.from({ length: 8 }, () => ""));
  });

  test("grow by whole dots and end at the picture's edge", () => {
    const picture = filled({ width: 6, height: 4 }, 3, 0);
    writeText(picture, "T", { left: 2, top: 2, scale: 2 }, [9, 8, 7]);
    const inked = Array.from({ length: 24 }, (_, at) => (picture.data[3 * at] === 9 ? 1 : 0)).join("");
    expect(inked).toBe("000000" + "000000" + "001111" + "001111");
    expect(pixelOf(picture, 2, 2)).toEqual([9, 8, 7]);
    expect(textSize("TT", 2)).toEqual({ width: 22, height: 16 });
  });
});

describe("overlays", () => {
  const grey = filled({ width: 6, height: 6 }, 3, 100);
  const square = (x: number, label = 1) =>
    Uint8Array.from({ length: 36 }, (_, at) => (at % 6 >= x && at % 6 < x + 3 && at >= 6 && at < 24 ? label : 0));
  const map = (data: Uint8Array) => ({ width: 6, height: 6, data });

  test("hit, missed, false and another class have each a colour of their own; what is ignored has none", () => {
    const truth = square(1);
    truth[6 * 5] = 255;
    const found = square(2);
    found[6 * 5] = 1;
    found[6 * 2 + 2] = 2;
    const shown = judgedOverlay(grey, map(found), map(truth));
    const towards = (colour: readonly number[], share: number) =>
      colour.map((value) => Math.round(100 * (1 - share) + value * share));
    expect(pixelOf(shown, 1, 1)).toEqual(towards(VERDICTS.missed, 0.95));
    expect(pixelOf(shown, 3, 1)).toEqual(towards(VERDICTS.hit, 0.95));
    expect(pixelOf(shown, 4, 2)).toEqual(towards(VERDICTS.false, 0.95));
    expect(pixelOf(shown, 2, 2)).toEqual(towards(VERDICTS.other, 0.95));
    expect(pixelOf(shown, 0, 5)).toEqual([100, 100, 100]);
    expect(pixelOf(shown, 5, 5)).toEqual([100, 100, 100]);
  });

  test("classes are tinted inside and outlined; a map of another size is stretched over the image", () => {
    const small = { width: 2, height: 2, data: Uint8Array.of(1, 0, 0, 0) };
    const shown = overlay(grey, small, [[0, 0, 0], [200, 0, 0]]); // biome-ignore format: two colours
    expect([shown.width, shown.height]).toEqual([6, 6]);
    expect(pixelOf(shown, 0, 0)).toEqual([130, 70, 70]);
    expect(pixelOf(shown, 2, 2)).toEqual([195, 5, 5]);
    expect(pixelOf(shown, 3, 3)).toEqual([100, 100, 100]);
  });

  /** Colours without one kind of cones (Machado, Oliveira and Fernandes 2009, severity 1), in linear RGB. */
  const SIGHT = {
    "all cones": [1, 0, 0, 0, 1, 0, 0, 0, 1],
    protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  } as const;

  function lab(colour: readonly number[], sight: readonly number[]): number[] {
    const linear = colour.map((value) => (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    const seen = [0, 3, 6].map((row) => linear.reduce((sum, value, c) => sum + value * (sight[row + c] ?? 0), 0));
    const [r = 0, g = 0, b = 0] = seen.map((value) => Math.min(1, Math.max(0, value)));
    const root = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
    const x = root((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
    const y = root(0.2126 * r + 0.7152 * g + 0.0722 * b);
    const z = root((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
  }

  test.each(Object.entries(SIGHT))("the verdicts' colours stay apart to eyes with %s", (_, sight) => {
    const seen = Object.values(VERDICTS).map((colour) => lab(colour, sight));
    const distances = seen.flatMap((one, index) =>
      seen.slice(index + 1).map((other) => Math.hypot(...one.map((value, c) => value - (other[c] ?? 0)))),
    );
    // Side by side a difference of 2.3 is just seen; ten times that is another colour.
    expect(Math.min(...distances)).toBeGreaterThan(23);
  });
});

test("a page holds its pictures at their own size, in rows, with title, captions and every entry of the legend", () => {
  const red = {
    width: 40,
    height: 20,
    channels: 3,
    data: new Uint8Array(2400).map((_, at) => (at % 3 ? 0 : 250)),
  } as const;
  const legend = [{ text: "a long name of a class", colour: [1, 2, 3] }, { text: "nothing" }] as const;
  const page = picturePage([{ picture: red, caption: "one" }, { picture: red }, { picture: red }], {
    ...{ title: ["title"], legend, columns: 2 },
  });
  const reds = Array.from(
    { length: page.width * page.height },
    (_, at) => page.data[3 * at] === 250 && page.data[3 * at + 1] === 0,
  );
  expect(reds.filter(Boolean)).toHaveLength(3 * 800);
  expect(holds(page, [1, 2, 3])).toBe(true);
  expect(page.width).toBe(4 + Math.max(84, textSize("a long name of a class", 1).width + 12) + 4);
  // Two lines of legend, since one would be wider than the pictures.
  const short = picturePage([{ picture: red }], { legend: [] });
  const long = picturePage([{ picture: red }], { legend });
  expect(long.height - short.height).toBe(2 * 12);
});

test("packed maps come back", () => {
  const data = Uint8Array.of(0, 0, 1, 1, 255, 0);
  expect(new PackedMap({ width: 3, height: 2, data }).unpack()).toEqual({ width: 3, height: 2, data });
});

describe("which evaluated images are shown", () => {
  const scored = (name: string, foregroundDice: number, sharePixels: number, imageDice = foregroundDice) => ({
    ...{ name, foregroundDice, sharePixels, imageDice },
  });
  const images = [
    scored("e", 90, 5),
    scored("a", 10, 4),
    scored("b", 50, 0.1),
    scored("c", 60, 3),
    scored("d", 70, 9),
    scored("empty-wrong", Number.NaN, 0, 0),
    scored("empty-right", Number.NaN, 0, 100),
  ];

  test("in turn the worst, the smallest objects, the median and the best, none twice", () => {
    expect(chooseImages(images, 4).map(({ name, reason, number }) => [name, reason, number])).toEqual([
      ["empty-wrong", "worst", 1],
      ["b", "smallest", 1],
      ["c", "median", 1],
      ["empty-right", "best", 1],
    ]);
    expect(chooseImages(images, 6).slice(4)).toEqual([
      { name: "a", reason: "worst", number: 2, dice: 10 },
      { name: "e", reason: "smallest", number: 2, dice: 90 },
    ]);
    expect(
      chooseImages(images, 99)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(images.map(({ name }) => name).sort());
    expect(chooseImages(images, 0)).toEqual([]);
    expect(chooseImages([], 3)).toEqual([]);
  });

  test("they are drawn beside the image at its own size, in place of a former evaluation's", async () => {
    const at = (name: string) => join(scratch.path, name);
    const pictures = new EvalPictures();
    mkdirSync(at("overlays"));
    writeFileSync(at("overlays/worst-9-old-overlay.png"), "");
    writeFileSync(at("overlays/mine.png"), "");
    for (const name of ["a", "b"]) {
      await writePng(at(`${name}.png`), filled({ width: 64, height: 30 }, 3, 77));
      const prediction = Int32Array.from({ length: 8 }, (_, i) => (name === "a" && i < 2 ? 1 : 0));
      const target = Int32Array.from({ length: 8 }, (_, i) => (i === 1 || i === 2 ? 1 : 0));
      pictures.add({ sample: { stem: name, image: at(`${name}.png`) }, prediction, target, width: 4, height: 2 });
    }
    const rows = [scored("a", 50, 25), scored("b", 0, 25)];
    const chosen = await pictures.write(at("overlays"), rows, { count: 8, classes: 2 });
    expect(chosen.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(readdirSync(at("overlays")).sort()).toEqual([
      "mine.png",
      "smallest-1-a-overlay.png",
      "worst-1-b-overlay.png",
    ]);
    const page = await readImage(at("overlays/smallest-1-a-overlay.png"));
    const plain = Array.from({ length: page.width * page.height }, (_, i) =>
      pixelOf(page, i % page.width, Math.floor(i / page.width)),
    );
    // The image whole, and beside it all of it but three of eight cells, in tints that are not mixed anew.
    expect(plain.filter(([r, g, b]) => r === 77 && g === 77 && b === 77)).toHaveLength(64 * 30 + (64 * 30 * 5) / 8);
    for (const name of ["hit", "missed", "false"] as const) expect(holds(page, VERDICTS[name])).toBe(true);
    expect(holds(page, VERDICTS.other)).toBe(false);
    expect(verdictLegend(3).map(({ text }) => text)).toEqual(["hit", "missed", "false", "other class"]);

    const single = { stem: "a", image: at("a.png") };
    const map = { prediction: new Uint8Array(8).fill(2), target: new Uint8Array(8).fill(1), width: 4, height: 2 };
    await writeOverlay(at("single"), { sample: single, ...map }, 3);
    expect(holds(await readImage(at("single/a-overlay.png")), VERDICTS.other)).toBe(true);
  });
});
