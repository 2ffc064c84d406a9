import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodePng } from "../../../src/data/codec/png.ts";
import { parseReading, type ReadingOptions, readingText } from "../../../src/data/masks/parse-reading.ts";
import {
  COUNT,
  folderOf,
  grey,
  LABELS,
  type MaskFile,
  mapped,
  PURE,
  prepared,
  raw,
  refusal,
  SIDE,
  SIZE,
  settingsOf,
} from "../../support/raw/mask-folders.ts";
import { fresh } from "../../support/raw/prepare.ts";
import { tiffBytes } from "../../support/raw/tiff-labels.ts";

describe("what masks mean is decided by every pixel of all of them", () => {
  test("class numbers in palette PNG and TIFF, whatever the palette's colours", async () => {
    const indexed = await folderOf(".png", () => encodePng({ ...SIZE, channels: 1, data: LABELS }, PURE));
    const found = await prepared(indexed);
    expect(found.labels).toEqual([...LABELS]);
    expect(found.notes).toContain("Mask values are class numbers");
    const tiff = await folderOf(".tif", () => tiffBytes({ ...SIZE, values: [...LABELS], bits: 16 }));
    expect((await prepared(tiff)).labels).toEqual([...LABELS]);
  });

  test("255 beside class numbers is left out of training, and that is said", async () => {
    const { labels, notes } = await prepared(await folderOf(".png", () => grey([0, 1, 2, 255])));
    expect(labels).toEqual([...mapped([0, 1, 2, 255])]);
    expect(notes).toContain(
      `255 (${COUNT * LABELS.filter((label) => label === 3).length} pixels) is left out of training`,
    );
  });

  test("black and white of 8 and 16 bits, also where most masks are empty", async () => {
    const folder = await folderOf(".png", (at) => grey(at === 0 ? [0, 255, 255, 0] : [0, 0, 0, 0]));
    const { labels, notes, yaml } = await prepared(folder);
    expect(labels).toEqual([...mapped([0, 1, 1, 0])]);
    expect(notes).toContain("Masks are black and white: the white part (255) is class 1");
    expect(yaml).toContain("- foreground");
    const deep = await folderOf(".tif", () =>
      tiffBytes({ ...SIZE, values: [...LABELS].map((l) => l && 65535), bits: 16 }),
    );
    expect((await prepared(deep)).labels).toEqual([...mapped([0, 1, 1, 1])]);
    expect(await refusal(folder, { classes: ["a", "b"] })).toContain("--classes names 2 classes; name one");
  });

  test("JPEG only where it is black and white but for its noise", async () => {
    for (const quality of [50, 75, 95]) {
      const folder = await folderOf(".jpg", () =>
        raw(mapped([0, 255, 255, 255]))
          .jpeg({ quality })
          .toBuffer(),
      );
      const { labels, notes } = await prepared(folder);
      expect(labels.filter((label, at) => label !== Number((LABELS[at] ?? 0) > 0)).length).toBeLessThan(6);
      expect(notes).toContain("black and white but for the noise of JPEG");
    }
    for (const [levels, advice] of [
      [[0, 100, 200, 200], "10\\d"],
      [[0, 200, 200, 200], "10\\d"],
      [[0, 1, 2, 3], "2"],
      [[0, 128, 255, 255], "128"],
      [[0, 60, 255, 255], "128"],
      // A small grey part beside much white, and a bright grey that is no white.
      [[0, 255, 255, 60], "128"],
      [[0, 228, 228, 228], "1[12]\\d"],
    ] as const) {
      const folder = await folderOf(".jpg", () => raw(mapped(levels)).jpeg({ quality: 90 }).toBuffer());
      expect(await refusal(folder), String(levels)).toMatch(
        new RegExp(
          "^RAW: the masks are stored as JPEG, .* not black and white .*masks/p0\\.jpg.*export them as PNG.*" +
            `--threshold ${advice} cuts`,
        ),
      );
    }
  });
});

const coloured = () => {
  const data = new Uint8Array(3 * LABELS.length);
  LABELS.forEach((label, at) => {
    data.set(PURE[label] ?? [], 3 * at);
  });
  return encodePng({ ...SIZE, channels: 3, data });
};
const alphaAlone = () => {
  const data = new Uint8Array(4 * LABELS.length);
  LABELS.forEach((label, at) => {
    data[4 * at + 3] = label > 0 ? 255 : 0;
  });
  return raw(data, 4).png().toBuffer();
};

/** The refusal, and what comes of following its advice. */
const CASES: readonly {
  name: string;
  ending?: string;
  mask: () => MaskFile;
  says: RegExp;
  options: ReadingOptions;
  gives: readonly number[];
}[] = [
  {
    name: "0 and 254",
    mask: () => grey([0, 254, 254, 254]),
    says: /^RAW: the values of the masks are no class numbers .*254 x \d+\); say what each means with --map 254=1;/,
    options: { map: "254=1" },
    gives: [0, 1, 1, 1],
  },
  {
    name: "0, 128 and 255",
    mask: () => grey([0, 128, 255, 255]),
    says: /--map 0=0,128=1,255=2, or --map 255=1,128=ignore/,
    options: { map: "255=1,128=ignore" },
    gives: [0, 255, 1, 1],
  },
  {
    name: "colours",
    mask: coloured,
    says: /^RAW: the masks hold colours .*first: masks\/p0\.png.*--palette "#ff0000=1,#00ff00=2,#0000ff=3"$/,
    options: { palette: "#ff0000=1,#00ff00=2,#0000ff=3" },
    gives: [0, 1, 2, 3],
  },
  {
    name: "alpha alone",
    mask: alphaAlone,
    says: /stands in their alpha alone \(first: masks\/p0\.png\).*--threshold 128/,
    options: { threshold: 128 },
    gives: [0, 1, 1, 1],
  },
  {
    name: "soft real numbers",
    ending: ".tif",
    mask: () =>
      tiffBytes({ ...SIZE, values: [...LABELS].map((l) => [0, 0.3, 0.9, 1][l] ?? 0), bits: 32, format: "float" }),
    says: /hold numbers that are not whole .*--threshold 0\.5/,
    options: { threshold: 0.5 },
    gives: [0, 0, 1, 1],
  },
  ...[
    { map: "1=1", gives: [0, 1, 1, 1] },
    { map: "0=1,1=0", gives: [1, 0, 0, 0] },
  ].map(({ map, gives }) => ({
    name: `white as zero, ${map}`,
    ending: ".tif",
    mask: () => tiffBytes({ ...SIZE, values: [...LABELS].map((l) => Number(l > 0)), bits: 1, photometric: 0 }),
    says: /say that their 0 is shown white \(first: masks\/p0\.tif; .*--map 1=1 .* or --map 0=1,1=0 /,
    options: { map },
    gives,
  })),
  {
    name: "a gap",
    mask: () => grey([0, 1, 3, 3]),
    says: /no class numbers without gaps .*--map 0=0,1=1,3=2, or .* name the classes/,
    options: { map: "1=1,3=2" },
    gives: [0, 1, 2, 2],
  },
];

describe("what is no class numbering is refused with the option that helps", () => {
  test.each(CASES)("$name", async ({ ending = ".png", mask, says, options, gives }) => {
    const folder = await folderOf(ending, mask);
    expect(await refusal(folder)).toMatch(says);
    const { labels, yaml } = await prepared(folder, settingsOf(options));
    expect(labels).toEqual([...mapped(gives)]);
    const reading = parseReading(options);
    expect(yaml).toContain(reading === undefined ? "?" : readingText(reading));
  });

  test("class numbers in a GIF are cut where they part, not where white would", async () => {
    const folder = await folderOf(".gif", () =>
      raw(mapped([0, 1, 1, 1]))
        .gif()
        .toBuffer(),
    );
    expect(await refusal(folder)).toMatch(/stored as GIF, .*--threshold 1 cuts/);
    expect((await prepared(folder, settingsOf({ threshold: 1 }))).labels).toEqual([...mapped([0, 1, 1, 1])]);
  });

  test("one number for each of few objects is named as such too", async () => {
    const folder = await folderOf(".png", (at) =>
      raw(mapped([0, 60, 60, 60]).map((value) => value && 60 + at))
        .png()
        .toBuffer(),
    );
    expect(await refusal(folder)).toMatch(/--map 0=0,60=1,61=2,.* --instances keeps them and makes all class 1$/);
  });

  test("soft edges are told from few grey levels", async () => {
    const folder = await folderOf(".png", () =>
      raw(mapped([0, 255, 255, 255]))
        .resize(48, 48)
        .resize(SIDE, SIDE)
        .blur(0.8)
        .png()
        .toBuffer(),
    );
    expect(await refusal(folder)).toMatch(/^RAW: the masks are black and white with grey edges, .*--threshold 128$/);
    const { labels } = await prepared(folder, settingsOf({ threshold: 128 }));
    expect(labels.filter((label, at) => label !== Number((LABELS[at] ?? 0) > 0)).length).toBeLessThan(40);
  });

  test("instance ids are recognised and kept", async () => {
    const cells = Array.from({ length: SIDE * SIDE }, (_, at) => {
      const [row, column] = [Math.floor(at / SIDE), at % SIDE];
      return row % 3 === 2 || column % 3 === 2 ? 0 : 301 + Math.floor(row / 3) * 8 + Math.floor(column / 3);
    });
    const folder = await folderOf(".tif", () => tiffBytes({ ...SIZE, values: cells, bits: 16 }));
    const { labels, notes } = await prepared(folder);
    expect(labels).toEqual(cells.map((id) => Number(id > 0)));
    expect(notes).toContain("Masks number single objects: 64 different values up to 364, each one connected piece.");
    expect((await prepared(folder, settingsOf({ threshold: 1 }))).labels).toEqual(cells.map((id) => Number(id > 0)));
  });
});

describe("numbers that someone names or maps", () => {
  test("numbers with a gap are believed where the classes are named; others beyond them are not", async () => {
    const folder = await folderOf(".png", () => grey([0, 1, 3, 3]));
    expect((await prepared(folder, { classes: ["a", "b", "c"] })).labels).toEqual([...mapped([0, 1, 3, 3])]);
    expect(await refusal(await folderOf(".png", () => grey([0, 1, 2, 3])), { classes: ["a", "b"] })).toMatch(
      /hold the values 0, 1, 2, 3 .*--classes names 2; name 3 classes, or say what 3 means with --map/,
    );
    expect(await refusal(folder, { classes: ["a"], ...settingsOf({ map: "1=1,3=2" }) })).toContain(
      "--map 1=1,3=2 gives class 2, --classes names 1 beside the background; name 2",
    );
  });

  test("0/255 masks among masks of class numbers are not guessed at", async () => {
    const folder = await folderOf(".png", (at) => grey(at < 2 ? [0, 255, 255, 255] : [0, 1, 1, 1]));
    expect(await refusal(folder)).toMatch(/^RAW: 2 masks hold 255 and no class number .*--map 1=1,255=1/);
    expect((await prepared(folder, settingsOf({ map: "1=1,255=1" }))).labels).toEqual([...mapped([0, 1, 1, 1])]);
  });

  test("a value that the map leaves out names file, value and place", async () => {
    const folder = await folderOf(".png", () => grey([0, 128, 255, 255]));
    expect(await refusal(folder, settingsOf({ map: "255=1" }))).toMatch(
      /RAW\/masks\/p0\.png: holds the value 128 at row 4, column 8; --map has no class for it \(0=0, 255=1\); add it/,
    );
  });
});

describe("the options", () => {
  test("are read strictly", () => {
    expect(parseReading({ map: "0=0, 128=ignore ,255=1" })).toEqual({
      kind: "map",
      levels: [
        [0, 0],
        [128, 255],
        [255, 1],
      ],
    });
    expect(parseReading({ palette: "#FF0000=1" })).toEqual({ kind: "palette", colours: [[0xff0000, 1]] });
    expect(parseReading({})).toBeUndefined();
    const file = fresh();
    writeFileSync(file, "#ff0000=1\r\n\n#00ff00=2\n");
    expect(parseReading({ palette: file })).toEqual({
      kind: "palette",
      colours: [
        [0xff0000, 1],
        [0x00ff00, 2],
      ],
    });
    for (const [options, message] of [
      [{ map: "255" }, '--map: "255" is no pair such as 255=1'],
      [{ map: "255=x" }, '--map: "x" is no class; give a number from 0 to 254, or ignore'],
      [{ map: "255=1,255=2" }, "--map: 255 stands twice; give each value one class"],
      [{ map: "1=256" }, '--map: "256" is no class'],
      [{ map: "0x10=1" }, '--map: "0x10=1" is no pair'],
      [{ palette: "#ff00=1" }, '--palette: "#ff00=1" is no pair such as #ff0000=1'],
      [{ palette: "no/such/file" }, "--palette no/such/file: this is neither a list"],
      [{ map: "1=1", threshold: 3 }, "--map and --threshold exclude each other; give one of them"],
    ] as const) {
      expect(() => parseReading(options)).toThrow(message);
    }
  });
});
