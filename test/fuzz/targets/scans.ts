import { gzipSync } from "node:zlib";
import { dicomValues, readDicom } from "../../../src/data/formats/dicom.ts";
import { readSegmentation } from "../../../src/data/formats/dicom-seg.ts";
import { decodeNifti } from "../../../src/data/formats/nifti-file.ts";
import { readNpyHeader } from "../../../src/data/formats/npy.ts";
import { NpzFile } from "../../../src/data/formats/npz.ts";
import { ctElements, dicomBytes, encapsulated, rleBytes, segElements } from "../../support/raw/dicom.ts";
import { niftiBytes, RAS } from "../../support/raw/nifti.ts";
import { floats, npyBytes, npzBytes, zipBytes } from "../../support/raw/npz.ts";
import type { FuzzTarget } from "../target.ts";

const VOLUME = { shape: [5, 4, 3], value: (index: number) => index, affine: RAS };
const niftiSeeds = () => [
  niftiBytes(VOLUME),
  niftiBytes({ ...VOLUME, version: 2 }),
  niftiBytes({ ...VOLUME, version: 2, bigEndian: true, type: "float32" }),
  niftiBytes({ ...VOLUME, shape: [3, 2, 2, 2], type: "float64", slope: 2, intercept: -1 }),
];

/** A spoiled header may announce thousands of slices of one voxel: the ends are enough. */
function readNifti(bytes: Buffer): void {
  const volume = decodeNifti(bytes, "fuzzed.nii");
  volume.slice(0);
  volume.slice(volume.size[2] - 1, volume.volumes - 1);
}

const PIXELS = Array.from({ length: 30 }, (_, at) => Math.floor(at / 7) * 300);
const CT = ctElements({ rows: 5, columns: 6, series: "1.2", instance: "1.2.3", z: 1, values: PIXELS });
const FRAMES = [1, 2].map((segment) => ({
  segment,
  instance: "1.2.3",
  z: 1,
  pixels: PIXELS.map((_, at) => at % segment),
}));
const SEG = { rows: 5, columns: 6, series: "1.2", labels: ["a", "b"], frames: FRAMES };

function readAnyDicom(bytes: Buffer): void {
  const dicom = readDicom(bytes, "fuzzed.dcm");
  if (dicom.modality === "SEG") readSegmentation(dicom);
  else dicomValues(dicom);
}

const X = { descr: "<f4", shape: [3, 4], data: floats(Array.from({ length: 12 }, (_, at) => at)) };
const npzSeeds = () => [
  npzBytes({ X }),
  npzBytes({ X, y: X }, true),
  zipBytes([{ name: "X.npy", data: npyBytes(X), wide: true }]),
  npzBytes({ X: { ...X, fortran: true } }),
];

/** Names that climb out of a folder or stand twice, figures that cannot be, a program in place of numbers. */
const zipTraps = () => [
  ...["../X.npy", "/X.npy", "C:\\X.npy", "a/../../X.npy", "X\0.npy"].map((name) =>
    zipBytes([{ name, data: npyBytes(X) }]),
  ),
  zipBytes([1, 2].map(() => ({ name: "X.npy", data: npyBytes(X) }))),
  zipBytes([{ name: "X.npy", data: npyBytes(X), size: 2 ** 31 }]),
  zipBytes([{ name: "X.npy", data: Buffer.concat([npyBytes(X), Buffer.alloc(2 ** 20)]) }]),
  npzBytes({ X: { ...X, descr: "|O" } }),
  npzBytes({ X: { ...X, shape: [2 ** 31, 2 ** 31] } }),
];

async function readNpz(bytes: Buffer): Promise<void> {
  const npz = await NpzFile.fromBytes(bytes, "fuzzed.npz");
  for (const name of npz.names) {
    for await (const { at } of npz.items(name)) at(0);
    await npz.array(name);
  }
}

const NPY_WORDS = [
  "'descr'",
  "'shape'",
  "'fortran_order'",
  "True",
  "<f8",
  "|O",
  ">i2",
  "(1,)",
  "()",
  "PK\x01\x02",
  "PK\x05\x06",
  "../",
];

export const SCAN_TARGETS: readonly FuzzTarget[] = [
  {
    name: "nifti",
    seeds: niftiSeeds,
    head: 420,
    words: ["n+1\0", "ni1\0", "\x5c\x01\0\0"],
    writes: [],
    run: readNifti,
  },
  {
    name: "nifti-gzip",
    seeds: () => niftiSeeds().map((bytes) => gzipSync(bytes)),
    head: 64,
    words: ["\x1f\x8b\x08"],
    writes: [],
    run: readNifti,
  },
  {
    // What lies within, packed after it was spoiled, so that the checksum fits.
    name: "nifti-packed",
    seeds: niftiSeeds,
    head: 420,
    words: ["n+1\0"],
    writes: [],
    run: (bytes) => readNifti(gzipSync(bytes, { level: 1 })),
  },
  {
    name: "dicom",
    seeds: () => [
      dicomBytes(CT),
      dicomBytes(CT, "implicit"),
      dicomBytes(CT.slice(0, -1), "rle", encapsulated(rleBytes(PIXELS))),
    ],
    head: 1200,
    words: ["DICM", "SQ", "OW", "UN", "\xff\xff\xff\xff", "\xfe\xff\x00\xe0", "\xfe\xff\x0d\xe0", "MONOCHROME1"],
    writes: [],
    run: readAnyDicom,
  },
  {
    name: "dicom-seg",
    seeds: () => [dicomBytes(segElements(SEG)), dicomBytes(segElements({ ...SEG, fractional: true }))],
    head: 2000,
    words: ["SQ", "\xff\xff\xff\xff", "\xfe\xff\x00\xe0", "\xfe\xff\xdd\xe0", "FRACTIONAL", "BINARY"],
    writes: [],
    run: readAnyDicom,
  },
  {
    name: "npy",
    seeds: () => [1, 2].map((version) => npyBytes({ ...X, version })),
    head: 90,
    words: NPY_WORDS,
    writes: [],
    run: (bytes) => readNpyHeader(bytes, "fuzzed.npy"),
  },
  { name: "npz", seeds: npzSeeds, traps: zipTraps, head: 600, words: NPY_WORDS, writes: [], run: readNpz },
];
