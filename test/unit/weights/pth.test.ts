import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CheckpointError } from "../../../src/errors.ts";
import { random } from "../../../src/kernels/random.ts";
import { parsePth } from "../../../src/weights/pth/read-pth.ts";
import { memorySource } from "../../../src/weights/pth/source.ts";
import { readWeights } from "../../../src/weights/read-weights.ts";
import { encodeSafetensors, float32, storeFloat32 } from "../../../src/weights/safetensors.ts";
import { floats, legacyFile, Pickler, type Plain, type TorchTensor, zip, zipFile } from "../../support/pth-writer.ts";

/** data.pkl of the state below by Python's own pickler: the output of test/oracle/pth_files.py. */
const BY_PYTHON =
  "800263636f6c6c656374696f6e730a4f726465726564446963740a710029527101285806000000776569676874710263746f7263682e5f7574696c730a5f72656275696c645f74656e736f725f76320a71032828580700000073746f72616765710463746f7263680a466c6f617453746f726167650a71055801000000307106580300000063707571074b06747108514b004b024b038671094b034b0186710a8968002952710b74710c52710d58060000007475726e6564710e6803282868046805680668074b0674710f514b004b034b028671104b014b0386711189680029527112747113527114580400000068616c66711568032828680463746f7263680a48616c6653746f726167650a7116580100000031711768074b02747118514b004b028571194b0185711a8968002952711b74711c52711d752e";

const matrix = floats(Float32Array.from([0, 1, 2, 3, 4, 5]), [2, 3]);
const TURNED: TorchTensor = { storage: matrix.storage, shape: [3, 2], strides: [1, 3] };
/** 1.5 and -2 as binary16. */
const HALF: TorchTensor = {
  storage: { type: "HalfStorage", count: 2, bytes: Uint8Array.of(0x00, 0x3e, 0x00, 0xc0) },
  shape: [2],
  strides: [1],
};
const STATE = { weight: matrix, turned: TURNED, half: HALF };

const read = (bytes: Uint8Array) => parsePth(memorySource(bytes, "net.pth"));

async function numbers(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const { tensors } = await read(bytes);
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, [...float32(tensor)]]));
}

test("the test's writer pickles as Python does, and both forms give the numbers back", async () => {
  expect(Buffer.from(new Pickler().value(STATE).end()).toString("hex")).toBe(BY_PYTHON);
  const expected = { weight: [0, 1, 2, 3, 4, 5], turned: [0, 3, 1, 4, 2, 5], half: [1.5, -2] };
  expect(await numbers(zipFile(STATE))).toEqual(expected);
  expect(await numbers(legacyFile(STATE))).toEqual(expected);
});

test("every element type, offsets, scalars, empty tensors and parameters", async () => {
  const typed = (type: string, array: ArrayBufferView & { length: number }, shape: number[]): TorchTensor => ({
    ...floats(new Float32Array(0), shape),
    storage: { type, count: array.length, bytes: new Uint8Array(array.buffer) },
  });
  const state = {
    double: typed("DoubleStorage", Float64Array.of(0.1, 1e300), [2]),
    brain: typed("BFloat16Storage", Uint16Array.of(0x3f80, 0xc040), [2]),
    long: typed("LongStorage", BigInt64Array.of(-3n), []),
    flags: typed("BoolStorage", Uint8Array.of(1, 0, 1), [3]),
    corner: { ...matrix, shape: [2, 2], strides: [3, 1], offset: 1, parameter: true },
    spread: { ...matrix, shape: [2, 2], strides: [0, 1], offset: 4 },
    none: floats(new Float32Array(0), [0, 3]),
  };
  const { tensors } = await read(zipFile(state));
  expect(Object.fromEntries([...tensors].map(([name, { shape, dtype }]) => [name, [dtype, ...shape]]))).toEqual({
    double: ["F64", 2],
    brain: ["BF16", 2],
    long: ["I64"],
    flags: ["BOOL", 3],
    corner: ["F32", 2, 2],
    spread: ["F32", 2, 2],
    none: ["F32", 0, 3],
  });
  expect(await numbers(legacyFile(state))).toEqual({
    double: [Math.fround(0.1), Number.POSITIVE_INFINITY],
    brain: [1, -3],
    long: [-3],
    flags: [1, 0, 1],
    corner: [1, 2, 4, 5],
    spread: [4, 5, 4, 5],
    none: [],
  });
});

test("a training program's file: the state is found, prefixes are stripped, and both are said", async () => {
  const wrapped: Plain = { epoch: 7, best: 0.5, done: false, state_dict: { "module.a": matrix, "module.b": HALF } };
  const { tensors, notes } = await read(zipFile(wrapped));
  expect([...tensors.keys()]).toEqual(["a", "b"]);
  expect(notes).toEqual([
    'the tensors are those under "state_dict"',
    'every name began with "module.", which is left out',
  ]);
  await expect(read(zipFile({ epoch: 7 }))).rejects.toThrow("holds no tensors by name (its top level has: epoch)");
});

test("tensors beside the state, such as a best score, do not hide it; prefixes go in any order", async () => {
  const score = floats(Float32Array.of(71), []);
  const inner = { "_orig_mod.module.a": matrix, "_orig_mod.module.b": HALF };
  const { tensors, notes } = await read(zipFile({ best_acc1: score, network_weights: inner, init: { fold: 0 } }));
  expect([...tensors.keys()]).toEqual(["a", "b"]);
  expect(notes).toEqual([
    'the tensors are those under "network_weights"',
    'every name began with "_orig_mod.", which is left out',
    'every name began with "module.", which is left out',
  ]);
  const plain = { state: { step: 3 } };
  expect([...(await read(zipFile({ optimizer: plain, state_dict: { a: HALF } }))).tensors.keys()]).toEqual(["a"]);
  // A dict beside tensors holds the state only under a name that says so.
  expect([...(await read(zipFile({ a: matrix, hooks: {} }))).tensors.keys()]).toEqual(["a"]);
});

test("a lazily negated view is refused: its numbers are not those of its storage", async () => {
  const sound = { ...matrix, marks: { neg: false } };
  expect([...(await read(zipFile({ sound }))).tensors.keys()]).toEqual(["sound"]);
  const failure = read(zipFile({ sound, turned: { ...matrix, marks: { conj: false, neg: true } } }));
  await expect(failure).rejects.toThrow('net.pth: a tensor is a view marked "neg"; save a copy');
});

test("a refusal says how to save the tensors alone", async () => {
  const failure = read(
    zipFile(STATE, { pickle: new Pickler().raw(...[0x63, ...text("argparse\nNamespace\n")]).end() }),
  );
  await expect(failure).rejects.toThrow(
    'torch.save(torch.load("net.pth", weights_only=False)["state_dict"], "weights.pth")',
  );
});

const text = (value: string) => [...new TextEncoder().encode(value)];

test.each([
  [
    "os.system",
    [0x63, ...text("os\nsystem\n"), 0x58, 1, 0, 0, 0, 0x61, 0x85, 0x52],
    "names os.system, which is refused",
  ],
  ["a network's class", [0x63, ...text("models\nNet\n"), 0x29, 0x81], "names models.Net, which is refused"],
  ["torch's code", [0x63, ...text("torch.jit\n_load\n")], "names torch.jit._load, which is refused"],
  ["an attribute", [0x63, ...text("torch\nFloatStorage.__init__\n")], "FloatStorage.__init__, which is refused"],
  [
    "a call of a class",
    [0x63, ...text("torch\nFloatStorage\n"), 0x29, 0x52],
    "calls torch.FloatStorage, which is refused",
  ],
  ["another opcode", [0x69, ...text("os\nsystem\n")], 'opcode 0x69 ("i") at byte 2'],
  ["a foreign persistent id", [0x58, 1, 0, 0, 0, 0x61, 0x51], "a storage is not described as PyTorch does it"],
  ["a long text", [0x58, 255, 255, 255, 127], "its pickle ends too early"],
])("nothing is run: %s", async (_, opcodes, message) => {
  const failure = read(zipFile(STATE, { pickle: new Pickler().raw(...opcodes).end() }));
  await expect(failure).rejects.toThrow(CheckpointError);
  await expect(failure).rejects.toThrow(message);
});

test("sizes are checked before memory is taken", async () => {
  const huge = { ...matrix, shape: [1 << 30, 1 << 30], strides: [0, 0] };
  await expect(read(zipFile({ huge }))).rejects.toThrow("does not fit its storage of 6 elements");
  const wide = { ...matrix, shape: [1 << 30], strides: [0] };
  await expect(read(zipFile({ wide }))).rejects.toThrow("would take 4294967296 bytes, far more than the file holds");
  await expect(read(zipFile({ far: { ...matrix, offset: 1 } }))).rejects.toThrow("does not fit its storage");
  const short = { ...matrix, storage: { ...matrix.storage, count: 7 } };
  await expect(read(zipFile({ short }))).rejects.toThrow("the storage 0 needs 28 bytes of type F32, its entry has 24");
  await expect(read(legacyFile({ short }))).rejects.toThrow(CheckpointError);
});

test("files that are something else say what they are", async () => {
  await expect(read(zipFile(STATE, { byteOrder: "big" }))).rejects.toThrow('byte order "big"');
  await expect(read(new TextEncoder().encode("<!doctype html>"))).rejects.toThrow("is a web page");
  await expect(read(new TextEncoder().encode("version https://git-lfs.github.com"))).rejects.toThrow("Git LFS pointer");
  await expect(read(new Uint8Array(0))).rejects.toThrow("is no PyTorch file");
  await expect(read(zip(new Map([["a/b.txt", Uint8Array.of(1)]])))).rejects.toThrow("without data.pkl");
  const damaged = zipFile(STATE);
  damaged[Buffer.from(damaged).indexOf(matrix.storage.bytes)] = 0x41;
  await expect(read(damaged)).rejects.toThrow("does not match its checksum");
});

test("3000 damaged files are read or refused, never anything else", async () => {
  const walk = random(1, "fuzz");
  const damage = (original: Uint8Array): Uint8Array => {
    const bytes = Uint8Array.from(original);
    for (let edits = 1 + walk.integer(4); edits > 0; edits--) bytes[walk.integer(bytes.length)] = walk.integer(256);
    return walk.integer(4) === 0 ? bytes.subarray(0, walk.integer(bytes.length)) : bytes;
  };
  const [zipped, legacy, pickle] = [
    zipFile(STATE),
    legacyFile({ model: STATE, epoch: 3 }),
    new Pickler().value(STATE).end(),
  ];
  // The third kind has sound checksums around a damaged pickle.
  const kinds = [() => damage(zipped), () => damage(legacy), () => zipFile(STATE, { pickle: damage(pickle) })];
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    try {
      await read(kinds[i % 3]?.() ?? zipped);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1500);
  expect(refused).toBeLessThan(3000);
});

test("the form of a file is seen in its contents, whatever it is called", async () => {
  const folder = mkdtempSync(join(tmpdir(), "svanet-weights-"));
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const safetensors = encodeSafetensors(new Map([["weight", storeFloat32(Float32Array.of(1), [1])]]));
  const files = [
    write("a.pth", safetensors),
    write("a.safetensors", zipFile(STATE)),
    write("b.tar", legacyFile(STATE)),
  ];
  const names = await Promise.all(files.map(async (file) => [...(await readWeights(file)).tensors.keys()]));
  expect(names).toEqual([["weight"], ["weight", "turned", "half"], ["weight", "turned", "half"]]);
  const wrapped = write(
    "c.safetensors",
    encodeSafetensors(new Map([["module.a", storeFloat32(Float32Array.of(1), [1])]])),
  );
  expect((await readWeights(wrapped)).notes).toEqual(['every name began with "module.", which is left out']);
  await expect(readWeights(join(folder, "none.pth"))).rejects.toThrow("none.pth cannot be read");
});
