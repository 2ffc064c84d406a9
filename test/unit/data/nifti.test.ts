import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodeNifti } from "../../../src/data/formats/nifti-file.ts";
import { readNifti } from "../../../src/data/formats/nifti-unpack.ts";
import { NiftiLabelMap } from "../../../src/data/formats/nifti-write.ts";
import { axisCode } from "../../../src/data/formats/orientation.ts";
import { chooseView, drawnSlice } from "../../../src/data/formats/window.ts";
import { niftiBytes, plantTexts, RAS } from "../../support/raw/nifti.ts";

/** Every way three array axes can run in a patient: "RAS", "LPI", "SAL", ... */
function allCodes(): string[] {
  const orders = ["RAS", "RSA", "ARS", "ASR", "SRA", "SAR"];
  const opposite: Readonly<Record<string, string>> = { R: "L", A: "P", S: "I" };
  return orders.flatMap((order) =>
    Array.from({ length: 8 }, (_, flips) =>
      [...order].map((letter, at) => ((flips >> at) & 1 ? opposite[letter] : letter)).join(""),
    ),
  );
}

/** The affine of an array whose axes run as `code` says, voxels of 1 mm. */
function affineOf(code: string): number[] {
  const affine = new Array<number>(12).fill(0);
  [...code].forEach((letter, column) => {
    const row = ["RL", "AP", "SI"].findIndex((pair) => pair.includes(letter));
    affine[row * 4 + column] = "RAS".includes(letter) ? 1 : -1;
  });
  return affine;
}

/** The same anatomy, value = 100 r + 10 a + s for a voxel r steps to the right, a to the front, s to the head, stored as `code`. */
const ANATOMY = { R: 3, A: 4, S: 5 } as const;
function stored(code: string): Buffer {
  const axisOf = (letter: string) =>
    (["R", "A", "S"] as const)[["RL", "AP", "SI"].findIndex((pair) => pair.includes(letter))] ?? "R";
  const shape = [...code].map((letter) => ANATOMY[axisOf(letter)]);
  const value = (index: number) => {
    const [x = 1, y = 1] = shape;
    const place = [index % x, Math.floor(index / x) % y, Math.floor(index / (x * y))];
    const at = { R: 0, A: 0, S: 0 };
    [...code].forEach((letter, column) => {
      const axis = axisOf(letter);
      at[axis] = letter === axis ? (place[column] ?? 0) : ANATOMY[axis] - 1 - (place[column] ?? 0);
    });
    return 100 * at.R + 10 * at.A + at.S;
  };
  return niftiBytes({ shape, value, affine: affineOf(code) });
}

describe("orientation", () => {
  test("all 48 axis orders show the same slices: front on top, the patient's right on the left", () => {
    expect(new Set(allCodes()).size).toBe(48);
    for (const code of allCodes()) {
      const volume = decodeNifti(stored(code), code);
      expect(axisCode(volume.header.affine)).toBe(code);
      expect(volume.size).toEqual([3, 4, 5]);
      const { width, height, values } = volume.slice(4);
      expect([width, height]).toEqual([3, 4]);
      expect([...values]).toEqual([234, 134, 34, 224, 124, 24, 214, 114, 14, 204, 104, 4]);
    }
  });

  test("a label map written for any of the 48 lies on the same voxels and keeps the geometry", () => {
    for (const code of allCodes()) {
      const volume = decodeNifti(stored(code), code);
      const map = new NiftiLabelMap(volume);
      for (let z = 0; z < 5; z++)
        map.setSlice(
          z,
          Uint8Array.from(volume.slice(z).values, (value) => value % 251),
        );
      const again = decodeNifti(map.encode(), "labels");
      expect(again.header.affine).toEqual(volume.header.affine);
      expect([again.header.shape, again.header.type]).toEqual([volume.header.shape, "uint8"]);
      for (let z = 0; z < 5; z++) {
        expect([...again.slice(z).values]).toEqual([...volume.slice(z).values].map((value) => value % 251));
      }
    }
  });

  test.each([1, 2] as const)("a label map of a NIfTI-%i scan takes its geometry and none of its texts", (version) => {
    const qform = { quaternion: [0, 0, 1], offset: [5, 6, 7], pixdim: [-1, 2, 3, 4] };
    const scan = niftiBytes({
      shape: [2, 3, 2],
      value: (index) => index,
      version,
      affine: [2, 0, 0, 1, 0, 3, 0, 2, 0, 0, 4, 3],
      qform,
    });
    const planted = plantTexts(scan, version);
    const volume = decodeNifti(planted, "scan.nii");
    expect([...volume.slice(0).values]).toEqual([...decodeNifti(scan, "scan.nii").slice(0).values]);
    const written = new NiftiLabelMap(volume).encode(false);
    expect(written.includes("DOE^JANE")).toBe(false);
    // No byte but those of geometry and type: the same as from the scan without texts.
    expect(written.equals(new NiftiLabelMap(decodeNifti(scan, "scan.nii")).encode(false))).toBe(true);
    const again = decodeNifti(written, "labels.nii");
    expect(again.header.affine).toEqual(volume.header.affine);
    expect(again.header.dataOffset).toBe(version === 1 ? 352 : 544);
    const [from, to] = version === 1 ? [252, 328] : [344, 496];
    expect(written.subarray(from, to)).toEqual(scan.subarray(from, to));
  });

  test("the quaternion is used where there is no sform, its mirrored third axis included", () => {
    // A turn by 180 degrees round z: quaternion (0, 0, 0, 1). nibabel calls this LPS, and LPI with pixdim[0] = -1.
    const qform = { quaternion: [0, 0, 1], offset: [5, 6, 7], pixdim: [1, 2, 3, 4] };
    const spec = { shape: [2, 2, 2], value: (index: number) => index, affine: undefined };
    const volume = decodeNifti(niftiBytes({ ...spec, qform }), "q");
    expect(volume.header.affine).toEqual([-2, 0, 0, 5, 0, -3, 0, 6, 0, 0, 4, 7]);
    const mirrored = niftiBytes({ ...spec, qform: { ...qform, pixdim: [-1, 2, 3, 4] } });
    expect(axisCode(decodeNifti(mirrored, "q").header.affine)).toBe("LPI");
  });

  test("an oblique scan goes to its nearest axes; without any orientation the array is taken as RAS", () => {
    const [c, s] = [Math.cos(0.5), Math.sin(0.5)];
    const affine = [0, c, -s, 0, 0, s, c, 0, 1, 0, 0, 0];
    const oblique = decodeNifti(niftiBytes({ shape: [2, 3, 4], value: () => 0, affine }), "o");
    expect(axisCode(oblique.header.affine)).toBe("SRA");
    const plain = decodeNifti(niftiBytes({ shape: [2, 3, 4], value: () => 0 }), "p");
    expect([plain.header.orientationFrom, axisCode(plain.header.affine)]).toEqual(["none", "RAS"]);
    const flat = niftiBytes({ shape: [2, 2, 2], value: () => 0, affine: new Array<number>(12).fill(0) });
    expect(() => decodeNifti(flat, "f.nii")).toThrow(/f\.nii.*does not span space/);
  });
});

describe("values", () => {
  const types = [
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float32",
    "float64",
    "int64",
    "uint64",
  ] as const;

  test.each([1, 2] as const)("NIfTI-%d: every type in both byte orders, plain and gzip", (version) => {
    for (const type of types) {
      for (const bigEndian of [false, true]) {
        const signed = type.startsWith("i") || type.startsWith("f");
        const value = (index: number) => (signed ? index - 3 : index) * (type.startsWith("float") ? 0.5 : 1);
        const spec = { shape: [2, 2, 2], value, type, version, bigEndian, affine: RAS };
        const { values } = decodeNifti(niftiBytes({ ...spec, gzip: bigEndian }), type).slice(0);
        // Slice 0 holds voxels 0 to 3; right to left and front to back turn them round.
        expect([...values]).toEqual([3, 2, 1, 0].map(value));
      }
    }
  });

  test("scl_slope 0 means no scaling, any other scales; 4-D volumes are told apart", () => {
    const spec = { shape: [1, 1, 1, 3], value: (index: number) => index + 1, affine: RAS };
    const read = (slope: number, intercept: number) => {
      const volume = decodeNifti(niftiBytes({ ...spec, slope, intercept }), "s");
      return [0, 1, 2].map((at) => volume.slice(0, at).values[0]);
    };
    expect(read(0, 7)).toEqual([1, 2, 3]);
    expect(read(Number.NaN, 7)).toEqual([1, 2, 3]);
    expect(read(2, 0)).toEqual([2, 4, 6]);
    expect(read(-0.5, 10)).toEqual([9.5, 9, 8.5]);
    expect(() => read(1, Number.POSITIVE_INFINITY)).toThrow(/scl_inter Infinity/);
  });

  test("NaN and infinite voxels are NaN and counted", () => {
    const odd = [Number.NaN, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const bytes = niftiBytes({ shape: [4, 1, 1], value: (at) => odd[at] ?? 0, type: "float32", affine: RAS });
    const { values, nonFinite } = decodeNifti(bytes, "n").slice(0);
    expect([[...values], nonFinite]).toEqual([[Number.NaN, Number.NaN, 1, Number.NaN], 3]);
  });

  test("windows: linear between their ends, percentiles leave outliers out, a constant volume is black", () => {
    const slice = { width: 3, height: 1, values: Float64Array.of(-160, 40, 1000), nonFinite: 0 };
    expect([...drawnSlice(slice, { window: { low: -160, high: 240 } }).data]).toEqual([0, 128, 255]);
    const values = Float64Array.from({ length: 10001 }, (_, at) => (at === 10000 ? 1e6 : at / 100));
    const { low, high } = chooseView(() => [{ values, width: 10001 }]).window;
    expect([low, high]).toEqual([expect.closeTo(0.5, 6), expect.closeTo(99.5, 5)]);
    const constant = chooseView(() => [{ values: new Float64Array(4).fill(5), width: 4 }]);
    expect([...drawnSlice({ ...slice, values: new Float64Array(3).fill(5) }, constant).data]).toEqual([0, 0, 0]);
  });
});

describe("damaged and foreign files", () => {
  const good = () => niftiBytes({ shape: [4, 4, 4], value: (index) => index, affine: RAS });
  const spoiled = (change: (bytes: Buffer) => void) => {
    const bytes = good();
    change(bytes);
    return bytes;
  };

  test.each([
    ["empty", Buffer.alloc(0), /a\.nii: the file is empty/],
    ["short", good().subarray(0, 100), /100 bytes, the header alone has 348/],
    ["truncated", good().subarray(0, 400), /4x4x4x1 voxels of int16 need 128 bytes, the file can hold 48/],
    ["no NIfTI", Buffer.alloc(400, 7), /starts with 07070707.*is it a NIfTI file/],
    ["wrong magic", spoiled((bytes) => bytes.write("n+9", 344)), /wrong magic "n\+9/],
    ["pair", spoiled((bytes) => bytes.write("ni1", 344)), /two files, \.hdr and \.img/],
    ["complex", spoiled((bytes) => bytes.writeInt16LE(32, 70)), /type 32 \(complex numbers\)/],
    ["bits", spoiled((bytes) => bytes.writeInt16LE(64, 72)), /type int16 with 64 bits/],
    ["extent", spoiled((bytes) => bytes.writeInt16LE(-4, 42)), /extents -4x4x4/],
    ["dimensions", spoiled((bytes) => bytes.writeInt16LE(9, 40)), /9 dimensions/],
    ["offset", spoiled((bytes) => bytes.writeFloatLE(3.5, 108)), /start at byte 3\.5/],
    ["5-D", niftiBytes({ shape: [1, 1, 1, 1, 2], value: () => 0, affine: RAS }), /more than four dimensions/],
    ["cut gzip", gzipSync(good()).subarray(0, 60), /gzip: unexpected end of file|100 bytes|the header alone/],
  ])("%s: one sentence naming file and figure, in Node and in browsers", async (_, bytes, message) => {
    expect(() => decodeNifti(bytes, "a.nii")).toThrow(message);
    await expect(readNifti(bytes, "a.nii")).rejects.toThrow(message);
  });

  test("a browser's unpacking gives what zlib gives, bytes after the voxels left out", async () => {
    const stored = niftiBytes({ shape: [5, 4, 3], value: (index) => index * 3 - 20, affine: RAS });
    const packed = gzipSync(Buffer.concat([stored, Buffer.alloc(1000)]));
    for (const bytes of [stored, packed]) {
      const [ours, theirs] = [await readNifti(bytes, "a"), decodeNifti(bytes, "a")];
      for (const z of [0, 1, 2]) expect(ours.slice(z)).toEqual(theirs.slice(z));
    }
    const spoiled = Buffer.from(packed);
    spoiled.fill(0xff, 40, 60);
    await expect(readNifti(spoiled, "a.nii.gz")).rejects.toThrow(/a\.nii\.gz.*gzip: /);
  });

  test("sizes no file can hold are refused before memory is taken, packed or not", async () => {
    const huge = good();
    for (const at of [42, 44, 46]) huge.writeInt16LE(32767, at);
    const gzipped = gzipSync(huge);
    // A bomb: a header of 128 bytes of voxels, then 64 MiB of zeros.
    const bomb = gzipSync(Buffer.concat([good(), Buffer.alloc(2 ** 26)]));
    const before = process.memoryUsage().arrayBuffers;
    expect(() => decodeNifti(huge, "a.nii")).toThrow(/need 70362\d+ bytes, the file can hold 128/);
    expect(() => decodeNifti(gzipped, "a.nii.gz")).toThrow(/need 70362\d+ bytes/);
    expect(() => decodeNifti(bomb, "b.nii.gz")).toThrow(/b\.nii\.gz.*gzip/);
    await expect(readNifti(gzipped, "a.nii.gz")).rejects.toThrow(/need 70362\d+ bytes/);
    await expect(readNifti(bomb, "b.nii.gz")).rejects.toThrow(/more bytes than its header announces/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
  });
});
