import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { encodePng } from "../../../src/data/codec/png.ts";
import { ctElements, dicomBytes, segElements } from "./dicom.ts";
import { niftiBytes } from "./nifti.ts";
import { floats, integers, npzBytes } from "./npz.ts";

const [width, height] = [24, 16];

/** Writes one file of a tiny raw download. The trees below have byte formats and names as the public ones have them. */
export function put(root: string, name: string, bytes: Uint8Array): void {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
}

/** A photograph-like picture that differs with `number`. */
function photo(number: number): Uint8Array {
  return Uint8Array.from(
    { length: width * height * 3 },
    (_, at) => (at * 5 + number * 31 + Math.floor(at / 72) * 9) % 256,
  );
}

const SQUARES = new Map<number, Uint8Array>();

/** A square of ones that moves with `number`. */
export function square(number: number): Uint8Array {
  const known = SQUARES.get(number) ?? drawSquare(number);
  SQUARES.set(number, known);
  return known;
}

function drawSquare(number: number): Uint8Array {
  const [left, top] = [2 + (number % 7), 3 + (number % 5)];
  return Uint8Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    return Number(x >= left && x < left + 6 && y >= top && y < top + 6);
  });
}

const white = (number: number) => square(number).map((value) => value * 255);
const rgbPng = (number: number) => encodePng({ width, height, channels: 3, data: photo(number) });
const greyPng = (data: Uint8Array) => encodePng({ width, height, channels: 1, data });
const jpeg = (data: Uint8Array, channels: 1 | 3) =>
  sharp(data, { raw: { width, height, channels } }).jpeg({ quality: 95 }).toBuffer();

/** FIVES: RGB photographs and RGB black and white masks, numbered from 1 in both splits. */
export function fivesTree(root: string): void {
  for (const split of ["train", "test"]) {
    ["1_A", "2_D", "3_G", "4_N"].forEach((stem, number) => {
      put(root, `${split}/Original/${stem}.png`, rgbPng(number + (split === "test" ? 50 : 0)));
      const mask = Uint8Array.from({ length: width * height * 3 }, (_, at) => white(number)[Math.floor(at / 3)] ?? 0);
      put(root, `${split}/Ground truth/${stem}.png`, encodePng({ width, height, channels: 3, data: mask }));
    });
  }
}

/** ISIC 2018 Task 1 as unpacked, one folder inside another of the same name. */
export async function isicTree(root: string): Promise<void> {
  for (const [phase, first, count] of [
    ["Training", 0, 4],
    ["Validation", 12255, 2],
  ] as const) {
    const [images, masks] = [`ISIC2018_Task1-2_${phase}_Input`, `ISIC2018_Task1_${phase}_GroundTruth`];
    for (let number = first; number < first + count; number++) {
      const stem = `ISIC_${String(number).padStart(7, "0")}`;
      put(root, `${images}/${images}/${stem}.jpg`, await jpeg(photo(number), 3));
      put(root, `${masks}/${stem}_segmentation.png`, greyPng(white(number)));
    }
    put(root, `${images}/${images}/ATTRIBUTION.txt`, Buffer.from("as in the download"));
  }
}

/** PolypGen: JPEG masks, six hospitals, boxes beside. */
export async function polypgenTree(root: string): Promise<void> {
  const names = [
    "100H0050",
    "EndoCV2021_001114",
    "C3_EndoCV2021_00162",
    "4_endocv2021_positive_34",
    "C5_100H",
    "EndoCV2021_C6_0100018",
  ];
  for (const [centre, name] of names.entries()) {
    for (let frame = 0; frame < 5; frame++) {
      const folder = `PolypGen2021_MultiCenterData_v3/data_C${centre + 1}`;
      const stem = `${name}_${frame}`;
      put(root, `${folder}/images_C${centre + 1}/${stem}.jpg`, await jpeg(photo(centre * 9 + frame), 3));
      put(root, `${folder}/masks_C${centre + 1}/${stem}_mask.jpg`, await jpeg(white(frame), 1));
      put(root, `${folder}/bbox_C${centre + 1}/${stem}_mask.txt`, Buffer.from("polyp 2 3 8 9"));
    }
  }
}

/** Turned by 180 degrees round the long axis, 1.5 mm voxels: an array from the patient's right and front on. */
export const LPS = [-1.5, 0, 0, 30, 0, -1.5, 0, 20, 0, 0, 4, -9];

/** ATLAS: five volumes of ten slices, float32 MR, uint8 labels with a tumour in a liver. */
export function atlasTree(root: string): void {
  for (let number = 0; number < 5; number++) {
    const shape = [width, height, 10];
    const label = (index: number) => (square(number)[index % (width * height)] ?? 0) * (index % 3 === 0 ? 2 : 1);
    const image = (index: number) => label(index) * 400 + (index % 11) * 30 + number * 1000;
    put(
      root,
      `train/imagesTr/im${number}.nii.gz`,
      niftiBytes({ shape, value: image, type: "float32", affine: LPS, gzip: true }),
    );
    put(
      root,
      `train/labelsTr/lb${number}.nii.gz`,
      niftiBytes({ shape, value: label, type: "uint8", affine: LPS, gzip: true }),
    );
  }
}

/** KiTS23: the first array axis runs from head to foot, as the published files do. */
export function kitsTree(root: string): void {
  const affine = [0, 0, -0.9, 50, 0, -0.9, 0, 40, -3, 0, 0, 90];
  for (const number of [0, 1, 7, 12, 400]) {
    const shape = [60, height, width];
    const place = (index: number) => ({ z: index % 60, pixel: Math.floor(index / 60) });
    const label = (index: number) => {
      const { z, pixel } = place(index);
      const row = (pixel % height) * width + Math.floor(pixel / height);
      return (square(number)[row] ?? 0) * (1 + (z % 3));
    };
    const image = (index: number) => label(index) * 40 - 60 + (place(index).z % 7);
    const folder = `dataset/case_${String(number).padStart(5, "0")}`;
    put(root, `${folder}/imaging.nii.gz`, niftiBytes({ shape, value: image, type: "int16", affine, gzip: true }));
    put(root, `${folder}/segmentation.nii.gz`, niftiBytes({ shape, value: label, type: "uint8", affine, gzip: true }));
  }
  put(root, "dataset/kits23.json", Buffer.from("[]"));
}

/** TissueNet 1.1: float32 images of two channels, int32 instance maps, cells first and nuclei second. */
export function tissuenetTree(root: string): void {
  for (const [split, side, period] of [
    ["train", 16, 13],
    ["val", 8, 11],
    ["test", 8, 7],
  ] as const) {
    const count = split === "train" ? 3 : 2;
    const pixels = count * side * side;
    const X = Array.from({ length: pixels * 2 }, (_, at) => ((at >> 1) % period) * (at % 2 === 0 ? 100 : 7));
    const y = Array.from({ length: pixels * 2 }, (_, at) => {
      const pixel = (at >> 1) % (side * side);
      const [column, row] = [pixel % side, Math.floor(pixel / side)];
      const inset = at % 2 === 0 ? 1 : 3;
      return column >= inset && column < side - inset && row >= inset && row < side - inset ? 7 : 0;
    });
    const shape = [count, side, side, 2];
    const arrays = { X: { descr: "<f4", shape, data: floats(X) }, y: { descr: "<i4", shape, data: integers(y) } };
    put(root, `tissuenet_v1.1_${split}.npz`, npzBytes(arrays));
  }
}

/** SpermHealth: frames with one mask picture a class; a class without objects has none. */
export function spermTree(root: string): void {
  for (let number = 0; number < 10; number++) {
    const name = `frame_${String(number).padStart(3, "0")}.png`;
    put(root, `images/${name}`, rgbPng(number));
    put(root, `masks/normal/${name}`, greyPng(white(number)));
    if (number % 2 === 0) put(root, `masks/abnormal/${name}`, greyPng(white(number + 3)));
  }
}

/** Two patients with a CT series and a segmentation each, and a third series without. */
export function dicomTree(root: string): void {
  const [rows, columns] = [6, 8];
  const values = (z: number) => Array.from({ length: rows * columns }, (_, at) => 1024 + ((at * 7 + z * 13) % 200));
  for (const [number, patient] of ["DOE^JANE", "ROE^RICHARD", "UNSEGMENTED"].entries()) {
    const series = `1.2.3.${number + 1}`;
    const instance = (z: number) => `${series}.${z + 1}`;
    for (const z of [2, 0, 1]) {
      const image = ctElements({ rows, columns, series, patient, instance: instance(z), z: z * 5, values: values(z) });
      put(root, `${patient}/export/IM${z}.dcm`, dicomBytes(image, z === 1 ? "implicit" : "explicit"));
    }
    if (patient === "UNSEGMENTED") continue;
    const frames = [0, 2].map((z) => ({
      segment: z === 0 ? 1 : 2,
      instance: instance(z),
      z: z * 5,
      pixels: values(z).map((_, at) => Number(at % 5 === z)),
    }));
    put(
      root,
      `${patient}/seg.dcm`,
      dicomBytes(segElements({ series, rows, columns, labels: ["tumour", "liver"], frames })),
    );
  }
}
