import { mkdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { identifierIn } from "../../../src/data/dataset/identifiers.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { decodeImage, writePng } from "../../../src/data/decode.ts";
import { burntInCharacters, TEXT_FROM } from "../../../src/data/image/burnt-in-text.ts";
import { type ByteImage, filled } from "../../../src/data/image/image.ts";
import { ctElements, dicomBytes, segElements } from "../../support/raw/dicom.ts";
import { fresh, run } from "../../support/raw/prepare.ts";
import { put } from "../../support/raw/trees.ts";

const SIZE = { width: 160, height: 120 };

/** Rows of the digits 0 to 9, five bits each. */
const DIGITS = [
  [14, 17, 19, 21, 25, 17, 14],
  [4, 12, 4, 4, 4, 4, 14],
  [14, 17, 1, 2, 4, 8, 31],
  [31, 2, 4, 2, 1, 17, 14],
  [2, 6, 10, 18, 31, 2, 2],
  [31, 16, 30, 1, 1, 17, 14],
  [6, 8, 16, 30, 17, 17, 14],
  [31, 1, 2, 4, 8, 8, 8],
  [14, 17, 17, 14, 17, 17, 14],
  [14, 17, 17, 15, 1, 2, 12],
];

/** Ground that is not flat, with `text` written into it in pixels of `scale`. */
function written(text: string, scale: number, value = 255): ByteImage {
  const image = filled(SIZE, 3, 0);
  image.data.forEach((_, at) => {
    image.data[at] = 20 + ((at * 7) % 30);
  });
  [...text].forEach((digit, place) => {
    DIGITS[Number(digit)]?.forEach((bits, row) => {
      for (let column = 0; column < 5; column++) {
        if (((bits >> (4 - column)) & 1) === 1)
          block(image, 6 + (place * 6 + column) * scale, 10 + row * scale, scale, value);
      }
    });
  });
  return image;
}

function block({ width, data }: ByteImage, left: number, top: number, side: number, value: number): void {
  for (let y = top; y < top + side; y++) data.fill(value, 3 * (y * width + left), 3 * (y * width + left + side));
}

test.each([1, 2, 3])("digits in pixels of %i are counted, as PNG and as JPEG", async (scale) => {
  const text = "30817255".slice(0, scale === 3 ? 7 : 8);
  expect(burntInCharacters(written(text, scale))).toBe(text.length);
  const jpeg = await sharp(written(text, scale).data, { raw: { ...SIZE, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
  if (scale > 1) expect(burntInCharacters(await decodeImage(jpeg, "a.jpg"))).toBeGreaterThanOrEqual(TEXT_FROM);
});

test("cells in a row, a scale bar, specks, a bright picture and few digits are no text", () => {
  const cells = written("", 1);
  for (let place = 0; place < 8; place++) {
    for (let y = -6; y <= 6; y++) {
      const half = Math.round(Math.sqrt(36 - y * y));
      cells.data.fill(
        250,
        3 * ((40 + y) * SIZE.width + 12 + place * 18 - half),
        3 * ((40 + y) * SIZE.width + 13 + place * 18 + half),
      );
    }
  }
  const bar = written("", 1);
  for (let x = 0; x < 10; x++) block(bar, 20 + x * 6, 90, 5, 255);
  const specks = written("", 1);
  for (let at = 0; at < 300; at++) block(specks, (at * 37) % 158, (at * 53) % 118, 1 + (at % 2), 255);
  for (const picture of [cells, bar, specks, filled(SIZE, 3, 255), written("12345", 2)]) {
    expect(burntInCharacters(picture)).toBeLessThan(TEXT_FROM);
  }
});

test("names of persons, dates, numbers of patients and DICOM identifiers are told from names of pictures", () => {
  const persons = {
    "a person's name": ["DOE^JANE", "Doe, Jane", "JANE_DOE_01", "Müller-Hans"],
    "a date": ["19530817", "scan_1953-08-17", "17.08.1953_b", "x_17081953"],
    "a patient's number": ["MRN7654321", "mrn-12345_x", "PatientID_0042", "7654321", "ct_7654321_3"],
    "a DICOM identifier": ["1.2.840.113619.2.55.3.4", "CT.1.2.840.113619.2.55.3"],
  };
  for (const [what, stems] of Object.entries(persons))
    for (const stem of stems) expect([stem, identifierIn(stem)]).toEqual([stem, what]);
  const pictures = [
    ...[
      "ISIC_0012345",
      "Image_01L",
      "kits_10036_103",
      "cju0qkwl35piu0993l0dewei2",
      "EndoCV2021_001114",
      "hippocampus_001_0012",
    ],
    ...[
      "sp_20221029_060441",
      "20230405T120000",
      "Ground_Truth",
      "Left_Kidney_3",
      "frame_000123",
      "train-0001",
      "1_A",
      "a1b2c3d4",
    ],
    ...["patient001_series002_0003", "00019530817"],
  ];
  for (const stem of pictures) expect([stem, identifierIn(stem)]).toEqual([stem, undefined]);
});

test("verify warns of both, by file, and of nothing in clean pictures", async () => {
  const folder = fresh();
  for (const part of ["train", "mask"]) mkdirSync(join(folder, part), { recursive: true });
  const pictures = { DOE_JANE: written("", 1, 0), plain: written("1", 3), scan_b: written("19530817", 2) };
  for (const [stem, image] of Object.entries(pictures)) {
    const mask = filled(SIZE, 1, 0);
    mask.data.fill(1, 0, 50 + stem.length);
    await writePng(join(folder, "mask", `${stem}.png`), mask);
    await writePng(join(folder, "train", `${stem}.png`), image);
  }
  const { findings } = await verifyDataset(await openDataset(folder), {
    indexFile: join(folder, "index.json"),
    workers: 0,
  });
  const codes = ["identifier-in-name", "burnt-in-text"];
  const own = findings
    .filter(({ code }) => codes.includes(code))
    .map(({ severity, code, file }) => [severity, code, file]);
  expect(own).toEqual([
    ["warning", "identifier-in-name", join(folder, "train", "DOE_JANE.png")],
    ["warning", "burnt-in-text", join(folder, "train", "scan_b.png")],
  ]);
});

test("prepare says which DICOM images announce burnt-in text", async () => {
  const raw = fresh();
  for (const [number, burnt] of ["NO", "YES", "YES"].entries()) {
    const series = `1.2.${number + 1}`;
    const size = { rows: 6, columns: 8, series };
    const values = Array.from({ length: 48 }, (_, at) => at * (3 + number));
    const extra = [[0x0028, 0x0301, "CS", burnt]] as const;
    const image = ctElements({ ...size, instance: `${series}.1`, z: 1, values, patient: String(number), extra });
    put(raw, `${number}.dcm`, dicomBytes(image));
    const frames = [{ segment: 1, instance: `${series}.1`, z: 1, pixels: values.map((_, at) => at % 2) }];
    put(raw, `${number}-seg.dcm`, dicomBytes(segElements({ ...size, labels: ["organ"], frames })));
  }
  const { notes } = await run("dicom", raw, fresh());
  const told = notes.filter((note) => note.includes("burnt"));
  expect(told).toEqual([expect.stringMatching(/^2 of 3 images say that text is burnt into them.*1\.dcm\)/)]);
});
