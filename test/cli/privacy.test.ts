import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultIndexFile } from "../../src/data/dataset/file-index.ts";
import { openNifti, readSeries } from "../../src/experiment/predict/predict-scan.ts";
import { ctElements, dicomBytes, type Element, segElements } from "../support/raw/dicom.ts";
import { niftiBytes, plantTexts, RAS } from "../support/raw/nifti.ts";
import { svanet } from "../support/svanet.ts";
import { scratchFolder } from "../support/training.ts";

const scratch = scratchFolder();
const at = (...names: string[]) => join(scratch.path, ...names);
afterAll(() => scratch.remove());

/** What names a patient; none of it may be seen again. */
const PLANTED = {
  name: "ZZDOE^JANE",
  id: "MRN7654321",
  birth: "19530817",
  place: "MERCYGEN HOSPITAL",
  note: "ZZREMARK",
};
const NEEDLES = Object.values(PLANTED).flatMap((text) => text.split(/[\^ ]|MRN/).filter((word) => word.length > 4));

const IDENTITY: readonly Element[] = [
  [0x0008, 0x0080, "LO", PLANTED.place],
  [0x0008, 0x1030, "LO", PLANTED.note],
  [0x0010, 0x0010, "PN", PLANTED.name],
  [0x0010, 0x0030, "DA", PLANTED.birth],
  [0x0010, 0x4000, "LT", PLANTED.note],
];
const [ROWS, COLUMNS] = [12, 16];

function dicomSlice(series: string, z: number): Buffer {
  const values = Array.from(
    { length: ROWS * COLUMNS },
    (_, pixel) => 1024 + ((pixel * (5 + 2 * Number(series.at(-1))) + z * 13) % 200),
  );
  const instance = `${series}.${z}`;
  const size = { rows: ROWS, columns: COLUMNS };
  return dicomBytes(
    ctElements({ ...size, series, instance, z, values, patient: PLANTED.id + series, extra: IDENTITY }),
  );
}

/** Three series of three slices with a segmentation each. */
function writeDicom(folder: string): void {
  mkdirSync(folder);
  for (const series of ["1.2.1", "1.2.2", "1.2.3"]) {
    for (const z of [1, 2, 3]) writeFileSync(join(folder, `${series}-${z}.dcm`), dicomSlice(series, z));
    const pixels = Array.from({ length: ROWS * COLUMNS }, (_, pixel) => Number(pixel % 16 < 5));
    const frames = [1, 2, 3].map((z) => ({ segment: 1, instance: `${series}.${z}`, z, pixels }));
    const elements = segElements({ series, rows: ROWS, columns: COLUMNS, labels: ["organ"], frames });
    const named = [...elements, ...IDENTITY].sort(([a, b], [c, d]) => a * 65536 + b - (c * 65536 + d));
    writeFileSync(join(folder, `${series}-seg.dcm`), dicomBytes(named));
  }
}

/** Scans and labels, half of them packed. */
function writeNifti(folder: string): void {
  for (const part of ["imagesTr", "labelsTr"]) {
    mkdirSync(join(folder, part), { recursive: true });
    for (const number of [1, 2, 3]) {
      const shape = [COLUMNS, ROWS, 3];
      const value = part === "labelsTr" ? (voxel: number) => Number(voxel % 16 < 5) : (voxel: number) => voxel % 97;
      const bytes = plantTexts(niftiBytes({ shape, value, affine: RAS }), 1, Object.values(PLANTED).join(" "));
      writeFileSync(join(folder, part, `case_${number}.nii`), bytes);
    }
  }
}

const PRINTED: string[] = [];
function run(status: number, ...args: readonly string[]): void {
  const answer = svanet(...args);
  PRINTED.push(answer.stdout, answer.stderr);
  expect(answer.status, answer.stderr).toBe(status);
}

/** What of the planted texts stands in `bytes`: as bytes, as UTF-16, or packed. */
function foundIn(bytes: Buffer): string[] {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? Buffer.concat([bytes, gunzipSync(bytes)]) : bytes;
  return NEEDLES.filter((word) => plain.includes(word) || plain.includes(Buffer.from(word, "utf16le")));
}

/** Every file below a folder, with what is found in it and in its name. */
function searched(folder: string): { readonly files: number; readonly found: readonly string[] } {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const found = entries.flatMap(({ parentPath, name }) => {
    const words = [...foundIn(readFileSync(join(parentPath, name))), ...foundIn(Buffer.from(name))];
    return words.map((word) => `${word} in ${join(parentPath, name)}`);
  });
  return { files: entries.length, found };
}

const TINY = ["--model", "unet", "--width", "4", "--size", "32", "--batch-size", "2", "--steps", "2", "--lr", "1e-3"];

beforeAll(() => {
  writeDicom(at("dicom"));
  writeNifti(at("nifti"));
  mkdirSync(at("broken"));
  const slice = dicomSlice("1.2.9", 1);
  writeFileSync(at("broken", "cut.dcm"), slice.subarray(0, slice.length - 40));
  const scan = readFileSync(at("nifti", "imagesTr", "case_1.nii"));
  writeFileSync(at("broken", "cut.nii"), scan.subarray(0, scan.length - 40));
});

test("the search finds what it looks for in the raw files", () => {
  expect(NEEDLES).toEqual(["ZZDOE", "7654321", "19530817", "MERCYGEN", "HOSPITAL", "ZZREMARK"]);
  expect(searched(at("nifti")).found.length).toBeGreaterThanOrEqual(6 * 5);
  expect(searched(at("dicom")).found.length).toBeGreaterThanOrEqual(9 * 6);
});

test("names in headers reach no prepared set, index, run, prediction, message or log", async () => {
  run(0, "data", "prepare", "dicom", "--from", at("dicom"), "--out", at("out", "dicom"));
  run(0, "data", "prepare", "nifti", "--from", at("nifti"), "--out", at("out", "nifti"), "--classes", "organ");
  run(0, "data", "verify", at("out", "dicom"), "--json");
  run(0, "train", "--data", at("out", "nifti"), "--out", at("out", "run"), ...TINY);
  const checkpoint = at("out", "run", "checkpoints", "last.safetensors");
  const scans = [at("nifti", "imagesTr", "case_1.nii"), at("dicom")];
  run(0, "predict", checkpoint, ...scans, "--out", at("out", "predicted"), "--probabilities", "--json");
  const refused = [openNifti(at("broken", "cut.nii"), undefined), readSeries([at("broken", "cut.dcm")])];
  for (const { status, ...rest } of await Promise.allSettled(refused)) {
    expect(status).toBe("rejected");
    PRINTED.push(JSON.stringify(rest, (_, value: unknown) => (value instanceof Error ? value.stack : value)));
  }
  const { files, found } = searched(at("out"));
  expect(found).toEqual([]);
  expect(files).toBeGreaterThan(30);
  for (const set of ["dicom", "nifti"]) expect(foundIn(readFileSync(defaultIndexFile(at("out", set))))).toEqual([]);
  expect(foundIn(Buffer.from(PRINTED.join("\n")))).toEqual([]);
});
