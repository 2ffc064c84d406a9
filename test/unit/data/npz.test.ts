import { describe, expect, test } from "vitest";
import { readNpyHeader } from "../../../src/data/formats/npy.ts";
import { NpzFile } from "../../../src/data/formats/npz.ts";
import { ZipArchive } from "../../../src/data/formats/zip.ts";
import { floats, integers, npyBytes, npzBytes, type ZipSpec, zipBytes } from "../../support/raw/npz.ts";

/**
 * Written by NumPy 2: np.savez_compressed(f, a=np.arange(6, dtype=">i2").reshape(2, 3), b=np.asfortranarray(
 * np.arange(6, dtype="<f4").reshape(3, 2)), c=np.array([True, False]), d=np.array([0.5, -2, np.inf], "<f2"))
 */
const BY_NUMPY =
  "UEsDBC0AAAAIAAAAIQCQvN3C//////////8FABQAYS5ucHkBABAAjAAAAAAAAABSAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l" +
  "oG6XaaSuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYGBkYGJgZmBhYGVgBQSwMELQAAAAgAAAAh" +
  "AM69jaD//////////wUAFABiLm5weQEAEACYAAAAAAAAAFQAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RS" +
  "lJgXn1+UkgoSDykqTQUKF2ckFqQCuRrGOgpGmjoKtQrkAy4GCHBgYGgAYXsgE0gvcAAAUEsDBC0AAAAIAAAAIQDuGbtd////////" +
  "//8FABQAYy5ucHkBABAAggAAAAAAAABGAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF6TZKiuo6Cell9UUpSYF59flJIKEndL" +
  "zClOBYoXZyQWpAL5GkY6mjoKtQoUAC5GBgBQSwMELQAAAAgAAAAhAJmFbUP//////////wUAFABkLm5weQEAEACGAAAAAAAAAEoA" +
  "AAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmpK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALgYL" +
  "hgMMNQBQSwECLQMtAAAACAAAACEAkLzdwlIAAACMAAAABQAAAAAAAAAAAAAAgAEAAAAAYS5ucHlQSwECLQMtAAAACAAAACEAzr2N" +
  "oFQAAACYAAAABQAAAAAAAAAAAAAAgAGJAAAAYi5ucHlQSwECLQMtAAAACAAAACEA7hm7XUYAAACCAAAABQAAAAAAAAAAAAAAgAEU" +
  "AQAAYy5ucHlQSwECLQMtAAAACAAAACEAmYVtQ0oAAACGAAAABQAAAAAAAAAAAAAAgAGRAQAAZC5ucHlQSwUGAAAAAAQABADMAAAA" +
  "EgIAAAAA";

async function values(npz: NpzFile, name: string): Promise<{ shape: readonly number[]; values: number[] }> {
  const { shape, at } = await npz.array(name);
  const count = shape.reduce((product, extent) => product * extent, 1);
  return { shape, values: Array.from({ length: count }, (_, index) => at(index)) };
}

async function entryText(bytes: Buffer, name = "a"): Promise<string> {
  const archive = await ZipArchive.fromBytes(bytes, "f.zip");
  const entry = archive.entries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`no entry ${name}`);
  const parts: Buffer[] = [];
  for await (const part of archive.stream(entry)) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe("npz", () => {
  test("an archive written by NumPy: byte orders, Fortran order, booleans, half precision", async () => {
    const npz = await NpzFile.fromBytes(Buffer.from(BY_NUMPY, "base64"), "numpy.npz");
    expect(npz.names).toEqual(["a", "b", "c", "d"]);
    expect(await values(npz, "a")).toEqual({ shape: [2, 3], values: [0, 1, 2, 3, 4, 5] });
    expect(await values(npz, "b")).toEqual({ shape: [3, 2], values: [0, 1, 2, 3, 4, 5] });
    expect(await values(npz, "c")).toEqual({ shape: [2], values: [1, 0] });
    expect(await values(npz, "d")).toEqual({ shape: [3], values: [0.5, -2, Number.POSITIVE_INFINITY] });
  });

  test.each([1, 2, 3])("format version %d, stored and deflated", async (version) => {
    const spec = { descr: "<f4", shape: [2, 2], version, data: floats([1, 2, 3, 4.5]) };
    for (const stored of [true, false]) {
      const npz = await NpzFile.fromBytes(npzBytes({ X: spec }, stored), "v.npz");
      expect((await values(npz, "X")).values).toEqual([1, 2, 3, 4.5]);
    }
  });

  test("items come one by one, of a Fortran-ordered array too", async () => {
    const c = { descr: "<i4", shape: [2, 3], data: integers([1, 2, 3, 4, 5, 6]) };
    const f = { descr: "<i4", shape: [2, 3], fortran: true, data: integers([1, 4, 2, 5, 3, 6]) };
    const npz = await NpzFile.fromBytes(npzBytes({ c, f }), "i.npz");
    for (const name of ["c", "f"]) {
      const items: number[][] = [];
      for await (const { at } of npz.items(name)) items.push([0, 1, 2].map(at));
      expect(items).toEqual([
        [1, 2, 3],
        [4, 5, 6],
      ]);
    }
  });

  test("what is no array of numbers is refused by name", async () => {
    const header = (text: string) => {
      const head = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
      head.writeUInt16LE(text.length, 8);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const read = (bytes: Buffer) => () => readNpyHeader(bytes, "x.npy");
    const plain = { shape: [1], data: new Uint8Array(8) };
    expect(read(npyBytes({ ...plain, descr: "|O8" }))).toThrow(/x\.npy.*Python objects, which are programs/);
    expect(read(npyBytes({ ...plain, descr: "<U4" }))).toThrow(/type <U4: numbers are read only/);
    expect(read(header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n"))).toThrow(
      /header "\{'descr'/,
    );
    expect(read(header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"))).toThrow(/header/);
    expect(read(Buffer.from("no array at all"))).toThrow(/does not start with the mark/);
    expect(read(npyBytes({ ...plain, descr: "<f8" }).subarray(0, 40))).toThrow(/cut short inside its header/);
    const wide = npyBytes({ ...plain, descr: "<f8", version: 2 });
    wide.writeUInt32LE(2 ** 31, 8);
    expect(read(wide)).toThrow(/a header of 2147483660 bytes/);
  });

  test("shapes that do not fit the bytes are refused before anything is allocated", async () => {
    const spec = { descr: "<f8", data: new Uint8Array(16) };
    const open = (shape: number[]) => NpzFile.fromBytes(npzBytes({ X: { ...spec, shape } }), "s.npz");
    await expect((await open([2 ** 20, 2 ** 20])).array("X")).rejects.toThrow(
      /needs 8796093022208 bytes, there are 16/,
    );
    await expect((await open([2 ** 40, 2 ** 40])).header("X")).rejects.toThrow(/s\.npz: X\.npy.*shape/);
    await expect((await open([1])).array("X")).rejects.toThrow(/needs 8 bytes, there are 16/);
    await expect((await open([2])).array("Y")).rejects.toThrow(/holds no array "Y" \(found: X\)/);
  });
});

describe("zip", () => {
  const data = Buffer.from("data ".repeat(1000));
  const one = (spec: Partial<ZipSpec> = {}) => zipBytes([{ name: "a", data, ...spec }]);

  test("stored, deflated and zip64 entries give the same bytes", async () => {
    for (const spec of [{ stored: true }, {}, { wide: true }, { wide: true, stored: true }]) {
      expect(await entryText(one(spec))).toBe(data.toString());
    }
  });

  test.each(["/etc/passwd", "../out", "a/../../out", "..\\out", "C:\\out", "\\out", "a\0b", ""])(
    "the name %j is refused",
    async (name) => {
      await expect(ZipArchive.fromBytes(one({ name }), "h.zip")).rejects.toThrow(
        /h\.zip: holds an entry named .* nothing was read/,
      );
    },
  );

  test.each<[string, Partial<ZipSpec>, RegExp]>([
    ["an absurd size", { size: 2 ** 31 }, /said to unpack from \d+ to 2147483648 bytes/],
    ["an absurd zip64 size", { wide: true, size: 2 ** 50 }, /to 1125899906842624 bytes/],
    ["more packed bytes than the file", { packed: 2 ** 30 }, /ends at byte 1073741824, the file has/],
    ["encryption", { flags: 1 }, /entry a is encrypted/],
    ["another method", { method: 12 }, /packed by method 12/],
  ])("%s is refused when the archive is opened", async (_, spec, message) => {
    await expect(ZipArchive.fromBytes(one(spec), "h.zip")).rejects.toThrow(message);
  });

  test.each<[string, Partial<ZipSpec>, RegExp]>([
    ["a wrong checksum", { crc: 1 }, /checksum of entry a is wrong/],
    ["more than announced", { size: 4000 }, /longer than the announced 4000 bytes/],
    ["less than announced", { size: 6000 }, /has 5000 of 6000 bytes/],
  ])("%s is found while reading", async (_, spec, message) => {
    await expect(entryText(one(spec))).rejects.toThrow(message);
  });

  test("cut, spoiled and foreign files; an entry twice", async () => {
    const bytes = one();
    await expect(ZipArchive.fromBytes(bytes.subarray(0, bytes.length - 1), "c.zip")).rejects.toThrow(
      /no directory at its end/,
    );
    await expect(ZipArchive.fromBytes(Buffer.from("no zip"), "c.zip")).rejects.toThrow(/no directory at its end/);
    const spoiled = Buffer.from(bytes);
    spoiled.fill(0xff, 40, 60);
    await expect(entryText(spoiled)).rejects.toThrow(/entry a: /);
    const twice = zipBytes([
      { name: "a", data },
      { name: "a", data },
    ]);
    await expect(ZipArchive.fromBytes(twice, "t.zip")).rejects.toThrow(/entry a occurs twice/);
    await expect(ZipArchive.open("/nowhere.zip")).rejects.toThrow(/nowhere\.zip: cannot be opened/);
  });
});
