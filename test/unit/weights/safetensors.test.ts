import { lstat, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError } from "../../../src/errors.ts";
import {
  encodeSafetensors,
  float32,
  int32,
  parseSafetensors,
  type StoredTensor,
  storeFloat32,
  storeInt32,
} from "../../../src/weights/safetensors.ts";
import { readSafetensors, writeSafetensors } from "../../../src/weights/safetensors-file.ts";

function file(header: unknown, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const pair = (first: [number, number], second: [number, number]) => ({
  a: { dtype: "F32", shape: [1], data_offsets: first },
  b: { dtype: "F32", shape: [1], data_offsets: second },
});

const SAMPLE = new Map([
  ["z.weight", storeFloat32(Float32Array.of(1, -2.5, 3e-8, 4, 5, 6), [2, 3])],
  ["a.step", storeInt32(Int32Array.of(-7), [])],
  ["nothing", storeFloat32(new Float32Array(0), [0, 4])],
]);
const METADATA = new Map([
  ["net", "tiny"],
  ["10", "before 9"],
  ["9", 'quotes " and ünïcode'],
]);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "svanet-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("round trip", () => {
  test("names, order, shapes, values and metadata survive in memory", () => {
    const { metadata: texts, tensors } = parseSafetensors(encodeSafetensors(SAMPLE, METADATA), "memory");
    expect([...tensors.keys()]).toEqual([...SAMPLE.keys()]);
    expect(tensors.get("z.weight")?.shape).toEqual([2, 3]);
    expect(float32(tensors.get("z.weight") as StoredTensor)).toEqual(Float32Array.of(1, -2.5, 3e-8, 4, 5, 6));
    expect(int32(tensors.get("a.step") as StoredTensor)).toEqual(Int32Array.of(-7));
    expect(new Map(texts)).toEqual(METADATA);
  });

  test("a file equals the encoding, lazily produced tensors too, and leaves no temporary file", async () => {
    const path = join(folder, "state.safetensors");
    const lazy = new Map([...SAMPLE].map(([name, t]) => [name, { ...t, bytes: async () => t.bytes }]));
    await writeSafetensors(path, lazy, METADATA);
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(SAMPLE, METADATA));
    expect(await readdir(folder)).toEqual(["state.safetensors"]);
    const { tensors } = await readSafetensors(path);
    expect(float32(tensors.get("z.weight") as StoredTensor)[1]).toBe(-2.5);
  });

  test("a planted link is replaced, not written through", async () => {
    const target = join(folder, "precious");
    await writeFile(target, "kept");
    const names = ["linked.safetensors", "linked.safetensors.partial"];
    for (const name of names) await symlink(target, join(folder, name));
    await writeSafetensors(join(folder, "linked.safetensors"), SAMPLE);
    expect(await readFile(target, "utf8")).toBe("kept");
    expect((await lstat(join(folder, "linked.safetensors"))).isSymbolicLink()).toBe(false);
    for (const name of [...names, "precious"]) await rm(join(folder, name));
  });

  test("a failing write keeps the old file and removes its temporary one", async () => {
    const path = join(folder, "state.safetensors");
    await writeSafetensors(path, SAMPLE);
    const broken = new Map([["x", { dtype: "F32" as const, shape: [3], bytes: new Uint8Array(4) }]]);
    await expect(writeSafetensors(path, broken)).rejects.toThrow('Tensor "x" of type F32 and shape [3] needs 12 bytes');
    expect((await readSafetensors(path)).tensors.size).toBe(3);
    expect(await readdir(folder)).toEqual(["state.safetensors"]);
  });
});

describe("conversions", () => {
  const stored = (dtype: StoredTensor["dtype"], bytes: number[], count: number): StoredTensor => ({
    dtype,
    shape: [count],
    bytes: Uint8Array.from(bytes),
  });

  test("half and brain floats", () => {
    const half = stored("F16", [0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c], 4);
    expect([...float32(half)]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
    expect([...float32(stored("BF16", [0x80, 0x3f, 0x20, 0xc0], 2))]).toEqual([1, -2.5]);
  });

  test("unaligned float32, wide and narrow integers", () => {
    const shifted = new Uint8Array(9);
    shifted.set(new Uint8Array(Float32Array.of(0.5, 7).buffer), 1);
    expect([...float32({ dtype: "F32", shape: [2], bytes: shifted.subarray(1) })]).toEqual([0.5, 7]);
    expect([...int32(stored("I64", [255, 255, 255, 255, 255, 255, 255, 255], 1))]).toEqual([-1]);
    expect([...int32(stored("BOOL", [0, 1, 1], 3))]).toEqual([0, 1, 1]);
    expect(() => int32(stored("I64", [0, 0, 0, 0, 1, 0, 0, 0], 1))).toThrow("4294967296 does not fit");
    expect(() => int32(stored("F32", [0, 0, 0, 0], 1))).toThrow("does not hold integers");
  });
});

describe("damaged and foreign files", () => {
  const whole = encodeSafetensors(SAMPLE, METADATA);
  const cases: [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "it has only 0 bytes"],
    ["LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid"), "Git LFS pointer"],
    ["zip", new TextEncoder().encode("PK\x03\x04 and the rest of it"), "zip archive"],
    ["huge header", new Uint8Array(16).fill(255), "announces a header of"],
    ["header beyond the end", file({}, 0).subarray(0, 9), "truncated"],
    ["not JSON", file("{nonsense", 0), "not valid JSON"],
    ["array", file("[1]", 0), "not a JSON object"],
    ["one byte short", whole.subarray(0, whole.length - 1), "truncated"],
    ["one byte more", Uint8Array.of(...whole, 0), "1 bytes after the last tensor"],
    ["hole", file(pair([0, 4], [8, 12]), 12), 'tensor "b" starts at byte 8, expected 4: it leaves a hole'],
    ["overlap", file(pair([0, 4], [2, 6]), 6), "overlaps another tensor"],
    ["type", file({ a: { dtype: "F8", shape: [1], data_offsets: [0, 1] } }, 1), 'unknown type "F8"'],
    ["shape", file({ a: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, 4), "invalid shape [-1]"],
    ["size", file({ a: { dtype: "F32", shape: [2], data_offsets: [0, 4] } }, 4), "needs 8 bytes"],
    ["offsets", file({ a: { dtype: "F32", shape: [1], data_offsets: [4, 0] } }, 4), "invalid data offsets [4,0]"],
    ["metadata", file({ __metadata__: { a: 1 } }, 0), 'metadata entry "a" is not a text'],
  ];
  test.each(cases)("%s", async (_name, bytes, message) => {
    expect(() => parseSafetensors(bytes, "some.file")).toThrow(CheckpointError);
    expect(() => parseSafetensors(bytes, "some.file")).toThrow(message);
    const path = join(folder, "damaged.safetensors");
    await writeFile(path, bytes);
    await expect(readSafetensors(path)).rejects.toThrow(message);
    await expect(readSafetensors(path)).rejects.toThrow(path);
  });

  test("a missing file is named", async () => {
    const path = join(folder, "absent.safetensors");
    await expect(readSafetensors(path)).rejects.toThrow(`${path} cannot be read: no such file or folder.`);
  });
});
