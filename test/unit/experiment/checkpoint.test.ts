import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CheckpointError } from "../../../src/errors.ts";
import {
  loadCheckpoint,
  loadOldCheckpoint,
  readFacts,
  readTrustedWeights,
  saveCheckpoint,
} from "../../../src/experiment/checkpoint/checkpoint.ts";
import { requireFit } from "../../../src/inference/checkpoint/checkpoint.ts";
import { type CheckpointFacts, parseFacts } from "../../../src/inference/checkpoint/facts.ts";
import { ParameterTable } from "../../../src/model/parameters.ts";
import { fromZoo, type NetworkConfig, traceNetwork, ZOO } from "../../../src/model/zoo.ts";
import { parseSafetensors, storeFloat32, storeInt32 } from "../../../src/weights/safetensors.ts";
import { writeSafetensors } from "../../../src/weights/safetensors-file.ts";
import { untrained } from "../../support/checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "svanet-"));
const path = join(folder, "net.safetensors");
const UNET: NetworkConfig = { kind: "unet", classes: 2, height: 16, width: 16, base: 1, depth: 2 };
const FACTS = untrained("unet", UNET);
const TENSORS = new Map([
  [
    "head.weight",
    storeFloat32(
      Float32Array.from({ length: 300 }, (_, i) => Math.sin(i)),
      [300],
    ),
  ],
  ["optimizer.clock", storeInt32(Int32Array.of(7), [1])],
]);
let whole: Buffer;

beforeAll(async () => {
  await saveCheckpoint(path, TENSORS, FACTS);
  whole = readFileSync(path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What loading says of a file with these bytes; undefined where it loads. */
async function complaint(bytes: Uint8Array, lane = 0): Promise<unknown> {
  const spoilt = join(folder, `spoilt-${lane}.safetensors`);
  writeFileSync(spoilt, bytes);
  return loadCheckpoint(spoilt).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const bitFlipped = (bit: number) => {
  const bytes = Uint8Array.from(whole);
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes;
};

test("a checkpoint reads back, and equal state and facts give equal bytes", async () => {
  const { facts, tensors } = await loadCheckpoint(path);
  expect(facts).toEqual(FACTS);
  expect([...tensors]).toEqual([...TENSORS]);
  await saveCheckpoint(join(folder, "again.safetensors"), TENSORS, FACTS);
  expect(readFileSync(join(folder, "again.safetensors")).equals(whole)).toBe(true);
});

test("any flipped bit of the header is noticed", async () => {
  const header = 8 + Number(whole.readBigUInt64LE(0));
  const unnoticed: number[] = [];
  const lane = async (_: unknown, bitOfByte: number) => {
    for (let bit = bitOfByte; bit < 8 * header; bit += 8) {
      if (!((await complaint(bitFlipped(bit), bitOfByte)) instanceof CheckpointError)) unnoticed.push(bit);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  expect(unnoticed).toEqual([]);
});

test("flipped bits of the data, a cut and a longer file are noticed", async () => {
  const header = 8 + Number(whole.readBigUInt64LE(0));
  for (let bit = 8 * header; bit < 8 * whole.length; bit += 61) {
    expect(await complaint(bitFlipped(bit)), `bit ${bit}`).toBeInstanceOf(CheckpointError);
  }
  expect(await complaint(whole.subarray(0, -1))).toBeInstanceOf(CheckpointError);
  expect(await complaint(Buffer.concat([whole, Buffer.of(0)]))).toBeInstanceOf(CheckpointError);
  expect(await complaint(Buffer.alloc(0))).toBeInstanceOf(CheckpointError);
});

test("the header alone is checked where only facts are read", async () => {
  const spoilt = join(folder, "facts.safetensors");
  const at = whole.indexOf('\\"std\\":[0.2') + '\\"std\\":[0.'.length;
  writeFileSync(spoilt, Buffer.concat([whole.subarray(0, at), Buffer.from("9"), whole.subarray(at + 1)]));
  await expect(readFacts(spoilt)).rejects.toThrow("is damaged: its checksum does not match its contents");
  writeFileSync(spoilt, bitFlipped(8 * whole.length - 9));
  expect(await readFacts(spoilt)).toEqual(FACTS);
});

test("a checkpoint without its checksum is refused, also as weights to start from", async () => {
  const bare = join(folder, "bare.safetensors");
  const { metadata, tensors } = parseSafetensors(whole, path);
  for (const key of ["headerSha256", "dataSha256"]) {
    const rest = new Map([...metadata].filter(([name]) => name !== key));
    await writeSafetensors(bare, tensors, rest);
    await expect(loadCheckpoint(bare)).rejects.toThrow("is damaged: its checksum does not match");
  }
  const neither = new Map([...metadata].filter(([name]) => !name.endsWith("Sha256")));
  await writeSafetensors(bare, tensors, neither);
  await expect(loadCheckpoint(bare)).rejects.toThrow("is damaged: it has lost its checksum");
  await expect(readFacts(bare)).rejects.toThrow("is damaged: it has lost its checksum");
  await expect(readTrustedWeights(bare)).rejects.toThrow("is damaged: it has lost its checksum");
  await writeSafetensors(bare, tensors, new Map([...neither, ["format", "svanet checkpoint 3"]]), { sealed: true });
  await expect(loadCheckpoint(bare)).rejects.toThrow("is a checkpoint of a newer svanet (svanet checkpoint 3");
});

test("a checkpoint of an older svanet is told apart, and read where its tensors are whole", async () => {
  const old = join(folder, "old.safetensors");
  const sum = [...TENSORS.values()].reduce((crc, { bytes }) => crc32(bytes, crc), 0);
  const { kind: _kind, ...config } = fromZoo("svanet").config; // as it was before other networks were there
  const facts = { ...untrained("svanet", fromZoo("svanet").config), config };
  const metadata = new Map([
    ["format", "svanet checkpoint 1"],
    ["facts", JSON.stringify(facts)],
    ["crc32", sum.toString(16).padStart(8, "0")],
  ]);
  await writeSafetensors(old, TENSORS, metadata);
  const advice = `${old} is a checkpoint of an older svanet, whose checksum does not cover all of it; write it anew with svanet convert ${old} --out ${old}`;
  await expect(loadCheckpoint(old)).rejects.toThrow(advice);
  await expect(readTrustedWeights(old)).rejects.toThrow(advice);
  const found = await loadOldCheckpoint(old);
  expect(found?.facts.config).toEqual(fromZoo("svanet").config);
  expect([...(found?.tensors.keys() ?? [])]).toEqual([...TENSORS.keys()]);
  expect(await loadOldCheckpoint(path)).toBeUndefined();
  await writeSafetensors(old, TENSORS, new Map([...metadata, ["crc32", "00000000"]]));
  await expect(loadOldCheckpoint(old)).rejects.toThrow("is damaged");
  await writeSafetensors(old, TENSORS, new Map([...metadata].slice(0, 2)));
  await expect(loadOldCheckpoint(old)).rejects.toThrow("is damaged");
});

test.each(ZOO.map(({ name, config }) => [name, config] as const))(
  "the facts of %s are within bounds",
  (name, config) => {
    expect(parseFacts("x", JSON.stringify(untrained(name, config)))).toEqual(untrained(name, config));
  },
);

const SVANET = untrained("svanet", fromZoo("svanet").config);
const changed = (facts: CheckpointFacts, part: object) => ({ ...facts, config: { ...facts.config, ...part } });
test.each<[string, object, string]>([
  ["an absurd depth", changed(SVANET, { formerDepth: 1e9 }), "config formerDepth Too big: expected number to be <=64"],
  ["a fraction", changed(FACTS, { depth: 2.5 }), "config depth Invalid input: expected int"],
  ["a side", changed(FACTS, { width: 1e8 }), "Too big"],
  ["a depth of blocks", changed(untrained("pspnet", fromZoo("pspnet").config), { blocks: [3, 4, 1e8] }), "Too big"],
  ["a choice", changed(SVANET, { link: "concet" }), "Invalid option"],
  ["a missing field", changed(FACTS, { base: undefined }), "Invalid input"],
  ["a foreign field", changed(FACTS, { bose: 1 }), 'Unrecognized key: "bose"'],
  ["another kind", changed(FACTS, { kind: "unot" }), "there is no kind of network unot"],
  ["a network of functions", changed(FACTS, { kind: "own" }), "made of functions, which no file holds"],
  ["what does not fit together", changed(SVANET, { height: 100 }), "height is 100; it must be a multiple of 32"],
  ["another number of classes", { ...FACTS, classes: ["a"] }, "the number of class names is not"],
  ["a deviation of zero", { ...FACTS, std: [0, 1, 1] }, "std.0"],
  ["a step below zero", { ...FACTS, progress: { ...FACTS.progress, step: -1 } }, "progress.step"],
  [
    "a torn recipe",
    { ...FACTS, progress: { ...FACTS.progress, recipe: "{" } },
    "progress.recipe is no list of settings",
  ],
  ["no facts", [], "Invalid input"],
])("facts with %s are refused", (_, facts, text) => {
  const parse = () => parseFacts("net.safetensors", JSON.stringify(facts));
  expect(parse).toThrow(CheckpointError);
  expect(parse).toThrow("net.safetensors does not say which network it holds: ");
  expect(parse).toThrow(text);
});

test("tensors that are not those of the network are listed, the first twenty", () => {
  const { parameters } = traceNetwork(UNET, { mode: "eval", batch: 2 }).build;
  const fit = () => requireFit(parameters, { path: "net", facts: FACTS, tensors: TENSORS });
  expect(fit).toThrow(/^net does not fit the network: missing enc\.0\.0\.conv\.weight \[1,3,3,3\]; .*; and \d+ more$/);
  const nothing = new ParameterTable([]);
  expect(() => requireFit(nothing, { path: "net", facts: FACTS, tensors: TENSORS })).toThrow(
    "net does not fit the network: unknown head.weight",
  );
});
