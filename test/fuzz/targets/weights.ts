import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { loadCheckpoint, saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { SVANET_PRESETS } from "../../../src/model/svanet/config.ts";
import { parsePth } from "../../../src/weights/pth/read-pth.ts";
import { memorySource } from "../../../src/weights/pth/source.ts";
import { encodeSafetensors, float32, parseSafetensors, storeFloat32 } from "../../../src/weights/safetensors.ts";
import { closeSeal, sha256 } from "../../../src/weights/seal.ts";
import { untrained } from "../../support/checkpoint.ts";
import { floats, legacyFile, Pickler, zipFile } from "../../support/pth-writer.ts";
import type { FuzzTarget } from "../target.ts";

const matrix = floats(Float32Array.from([0, 1, 2, 3, 4, 5]), [2, 3]);
const STATE = {
  weight: matrix,
  turned: { storage: matrix.storage, shape: [3, 2], strides: [1, 3] },
  "module.b": matrix,
};
const TENSORS = new Map([
  ["a.weight", storeFloat32(Float32Array.of(1, 2, 3, 4), [2, 2])],
  ["b", storeFloat32(Float32Array.of(5), [])],
]);

/** An archive in which two entries have one name. */
function doubled(): Buffer {
  const text = Buffer.from(zipFile({ a: matrix, b: floats(Float32Array.of(1), [1]) })).toString("latin1");
  return Buffer.from(text.replaceAll("archive/data/1", "archive/data/0"), "latin1");
}

/** `os.system("...")` as a pickle calls it; nothing may ever come of it but a refusal. */
const CALL = new Pickler().raw(...Buffer.from("cos\nsystem\n(S'touch executed'\ntR"), 0x2e).end();

/** Entries of a zip archive with checksums made right, as far as its directory can be told. */
function resealedZip(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf("PK\x01\x02", 0, "latin1"); at >= 0 && at + 46 <= bytes.length; ) {
    const header = bytes.readUInt32LE(at + 42);
    if (header + 30 <= bytes.length) {
      const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
      bytes.writeUInt32LE(crc32(bytes.subarray(start, start + bytes.readUInt32LE(at + 24))), at + 16);
    }
    at = bytes.indexOf("PK\x01\x02", at + 4, "latin1");
  }
  return bytes;
}

async function checkpointSeeds(): Promise<Uint8Array[]> {
  const folder = mkdtempSync(join(tmpdir(), "svanet-fuzz-"));
  const file = join(folder, "seed.safetensors");
  await saveCheckpoint(file, TENSORS, untrained("svanet", SVANET_PRESETS.svanet));
  const bytes = readFileSync(file);
  rmSync(folder, { recursive: true });
  return [bytes];
}

/** A checkpoint whose checksums are made right, so that what is behind them is reached. */
async function resealedCheckpoint(bytes: Buffer): Promise<Buffer> {
  const end = bytes.length < 8 ? 0 : 8 + Number(bytes.readBigUInt64LE(0));
  if (end > 8 && end <= bytes.length) await closeSeal(bytes.subarray(0, end), await sha256(bytes.subarray(end)));
  return bytes;
}

async function fromFile(bytes: Buffer, folder: string): Promise<unknown> {
  const file = join(folder, "fuzzed.safetensors");
  writeFileSync(file, bytes);
  return loadCheckpoint(file);
}

export const WEIGHTS_TARGETS: readonly FuzzTarget[] = [
  {
    name: "pth",
    seeds: () => [
      zipFile(STATE),
      legacyFile(STATE),
      zipFile({ epoch: 7, best: 0.5, state_dict: { "module.a": matrix } }),
    ],
    traps: () => [zipFile(STATE, { pickle: CALL }), CALL, zipFile(STATE, { byteOrder: "big" }), doubled()],
    head: 700,
    words: [
      "ctorch._utils\n_rebuild_tensor_v2\n",
      "cos\nsystem\n",
      "cbuiltins\neval\n",
      "R",
      "0",
      "2",
      "}",
      "(",
      "\x80\x02",
      "__proto__",
      "data.pkl",
    ],
    writes: [],
    reseal: resealedZip,
    run: (bytes) => parsePth(memorySource(bytes, "fuzzed.pth")),
  },
  {
    name: "safetensors",
    seeds: () => [encodeSafetensors(TENSORS), encodeSafetensors(TENSORS, new Map([["format", "pt"]]))],
    head: 250,
    words: ['"__metadata__"', '"__proto__"', '"dtype":"F16"', '"shape":[', '"data_offsets":[0,0]', "{", "}", "1e308"],
    writes: [],
    run(bytes) {
      const { tensors } = parseSafetensors(bytes, "fuzzed.safetensors");
      for (const tensor of tensors.values()) if (tensor.dtype === "F32") float32(tensor);
    },
  },
  {
    name: "checkpoint",
    seeds: checkpointSeeds,
    head: 2000,
    words: ['"facts":"', '\\"kind\\":\\"unet\\"', '\\"__proto__\\":{', "null", "1e9", "[]", "{}", "Sha256"],
    writes: ["fuzzed.safetensors"],
    reseal: resealedCheckpoint,
    run: fromFile,
  },
];
