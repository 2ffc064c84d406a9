import { crc32 } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { decodePng, encodePng } from "../../../src/data/codec/png.ts";
import { dicomValues, readDicom } from "../../../src/data/formats/dicom.ts";
import { readSegmentation } from "../../../src/data/formats/dicom-seg.ts";
import { NiftiVolume } from "../../../src/data/formats/nifti.ts";
import { readNpyHeader } from "../../../src/data/formats/npy.ts";
import { NpzFile } from "../../../src/data/formats/npz.ts";
import { DataError } from "../../../src/errors.ts";
import { type Random, random } from "../../../src/kernels/random.ts";
import { ctElements, dicomBytes, encapsulated, rleBytes, segElements } from "../../support/raw/dicom.ts";
import { niftiBytes, RAS } from "../../support/raw/nifti.ts";
import { floats, npyBytes, npzBytes, zipBytes } from "../../support/raw/npz.ts";

const ROUNDS = 2100;
/** The slowest single input may take this long; a hang takes for ever. */
const PATIENCE = 2000;
const INTERESTING = [0, 1, 0x7f, 0x80, 0xff];

type Mutation = (bytes: Buffer, at: number, walk: Random) => Buffer;

const flip: Mutation = (bytes, at, walk) => {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << walk.integer(8));
  return bytes;
};
const overwrite: Mutation = (bytes, at, walk) =>
  bytes.fill(INTERESTING[walk.integer(5)] ?? 0, at, Math.min(bytes.length, at + 1 + walk.integer(4)));
const cut: Mutation = (bytes, at) => bytes.subarray(0, at);
const remove: Mutation = (bytes, at, walk) =>
  Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + walk.integer(16))]);
const repeat: Mutation = (bytes, at, walk) =>
  Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - walk.integer(16)))]);
const MUTATIONS = [flip, flip, flip, overwrite, overwrite, cut, remove, repeat];

/** One spoiled copy: flipped, overwritten, cut, removed or repeated bytes; the first ones, where headers lie, more often. */
function mutate(original: Buffer, walk: Random, head: number): Buffer {
  let bytes: Buffer = Buffer.from(original);
  const changes = 1 + walk.integer(4);
  for (let change = 0; change < changes && bytes.length > 0; change++) {
    const reach = walk.integer(3) === 0 ? bytes.length : Math.min(head, bytes.length);
    bytes = MUTATIONS[walk.integer(MUTATIONS.length)]?.(bytes, walk.integer(reach), walk) ?? bytes;
  }
  return bytes;
}

interface Tally {
  read: number;
  refused: number;
  slowest: number;
}

/**
 * Feeds thousands of spoiled copies of `seeds` to `parse`: a result or a DataError, nothing else, soon, and without taking
 * more memory than the file can hold. Mutations are drawn by seed: a failure can be repeated by the input's number.
 */
async function fuzz(
  name: string,
  seeds: readonly Buffer[],
  head: number,
  parse: (bytes: Buffer) => unknown,
): Promise<Tally> {
  const tally = { read: 0, refused: 0, slowest: 0 };
  for (const seed of seeds) await parse(seed); // the unspoiled files are good, else nothing is tested
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(seeds[round % seeds.length] ?? Buffer.alloc(0), random(7, `fuzz ${name}`, round), head);
    const began = performance.now();
    try {
      await parse(bytes);
      tally.read++;
    } catch (error) {
      if (!(error instanceof DataError))
        throw new Error(`${name}, round ${round}: ${error instanceof Error ? error.stack : error}`);
      expect(error.message).toMatch(/^fuzzed/);
      tally.refused++;
    }
    tally.slowest = Math.max(tally.slowest, performance.now() - began);
  }
  expect(tally.refused).toBeGreaterThan(ROUNDS / 20);
  expect(tally.slowest).toBeLessThan(PATIENCE);
  return tally;
}

/** Largest growth of buffers outside the heap while a parser met its inputs. */
afterEach(() => expect(process.memoryUsage().arrayBuffers).toBeLessThan(2 ** 29));

test("NIfTI-1 and -2, plain and gzip", async () => {
  const spec = { shape: [5, 4, 3], value: (index: number) => index, affine: RAS };
  const seeds = [
    niftiBytes(spec),
    niftiBytes({ ...spec, gzip: true }),
    niftiBytes({ ...spec, version: 2 }),
    niftiBytes({ ...spec, version: 2, bigEndian: true, type: "float32" }),
  ];
  const tally = await fuzz("nifti", seeds, 420, (bytes) => {
    const volume = NiftiVolume.decode(bytes, "fuzzed.nii");
    // A spoiled header may announce thousands of slices of one voxel: the ends are enough.
    volume.slice(0);
    volume.slice(volume.size[2] - 1, volume.volumes - 1);
  });
  expect(tally.read).toBeGreaterThan(50);
});

test("npy headers", async () => {
  const seeds = [1, 2].map((version) =>
    npyBytes({ descr: "<f4", shape: [2, 3], version, data: floats([1, 2, 3, 4, 5, 6]) }),
  );
  await fuzz("npy", seeds, 90, (bytes) => readNpyHeader(bytes, "fuzzed.npy"));
});

test("npz and zip, also zip64", async () => {
  const X = { descr: "<f4", shape: [3, 4], data: floats(Array.from({ length: 12 }, (_, at) => at)) };
  const seeds = [
    npzBytes({ X }),
    npzBytes({ X, y: X }, true),
    zipBytes([{ name: "X.npy", data: npyBytes(X), wide: true }]),
    npzBytes({ X: { ...X, fortran: true } }),
  ];
  await fuzz("npz", seeds, 600, async (bytes) => {
    const npz = await NpzFile.fromBytes(bytes, "fuzzed.npz");
    for (const name of npz.names) {
      for await (const { at } of npz.items(name)) at(0);
      await npz.array(name);
    }
  });
});

test("DICOM images and segmentations", async () => {
  const values = Array.from({ length: 30 }, (_, at) => Math.floor(at / 7) * 300);
  const image = ctElements({ rows: 5, columns: 6, series: "1.2", instance: "1.2.3", z: 1, values });
  const frames = [1, 2].map((segment) => ({
    segment,
    instance: "1.2.3",
    z: 1,
    pixels: values.map((_, at) => at % segment),
  }));
  const segmentation = segElements({ rows: 5, columns: 6, series: "1.2", labels: ["a", "b"], frames });
  const seeds = [
    dicomBytes(image),
    dicomBytes(image, "implicit"),
    dicomBytes(image.slice(0, -1), "rle", encapsulated(rleBytes(values))),
    dicomBytes(segmentation),
  ];
  const tally = await fuzz("dicom", seeds, 1200, (bytes) => {
    const dicom = readDicom(bytes, "fuzzed.dcm");
    if (dicom.modality === "SEG") readSegmentation(dicom);
    else dicomValues(dicom);
  });
  expect(tally.read).toBeGreaterThan(50);
});

/** The bytes with every chunk's checksum made right, as far as chunks can be told. */
function resealed(bytes: Buffer): Buffer {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end - 4)), end - 4);
    at = end;
  }
  return bytes;
}

test("PNG", async () => {
  const data = Uint8Array.from({ length: 16 * 12 * 3 }, (_, at) => (at * 7) % 256);
  const grey = { width: 16, height: 12, channels: 1, data: data.subarray(0, 192).map((value) => value % 3) } as const;
  const seeds = [
    encodePng({ width: 16, height: 12, channels: 3, data }),
    encodePng(grey),
    encodePng(grey, [
      [0, 0, 0],
      [9, 9, 9],
      [7, 7, 7],
    ]),
  ];
  await fuzz("png", seeds, 80, (bytes) => decodePng(bytes, "fuzzed.png"));
  // Checksums hide what lies behind them: the same again with checksums that fit the spoiled bytes.
  const tally = await fuzz("png resealed", seeds, 80, (bytes) => decodePng(resealed(bytes), "fuzzed.png"));
  expect(tally.read).toBeGreaterThan(50);
});
