import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../../../src/data/dataset/dataset.ts";
import { readDatasetYaml } from "../../../src/data/dataset/dataset-yaml.ts";
import { FileIndex } from "../../../src/data/dataset/file-index.ts";
import { verifyDataset } from "../../../src/data/dataset/verify.ts";
import { readBytes } from "../../../src/data/decode.ts";
import { NpzFile } from "../../../src/data/formats/npz.ts";
import { parseReading } from "../../../src/data/masks/parse-reading.ts";
import { list } from "../../../src/data/prepare/raw-folder.ts";
import { cellsKind } from "../../../src/data/synth/cells.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { CheckpointError, UsageError } from "../../../src/errors.ts";
import { loadCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { checkpointPath } from "../../../src/experiment/checkpoint/load-run.ts";
import { listInputs } from "../../../src/experiment/predict/predict-inputs.ts";
import { readDataRecord } from "../../../src/experiment/run/data-index.ts";
import { readConfigFile } from "../../../src/experiment/settings/config-file.ts";
import { readPth } from "../../../src/weights/pth/read-pth.ts";
import { readWeights } from "../../../src/weights/read-weights.ts";
import { readSafetensors, readSafetensorsMetadata } from "../../../src/weights/safetensors-file.ts";

const root = mkdtempSync(join(tmpdir(), "svanet-regular-"));
const at = (...names: string[]) => join(root, ...names);
const server = createServer();

beforeAll(async () => {
  mkdirSync(at("odd"));
  spawnSync("mkfifo", [at("odd", "pipe.png")]);
  await new Promise<void>((ready) => server.listen(at("socket.png"), ready));
  mkdirSync(at("folder.png"));
  await writeSynth(cellsKind, { out: at("cells"), train: 3, val: 1, size: 48, seed: 1 });
});
afterAll(() => {
  server.close();
  rmSync(root, { recursive: true });
});

describe.runIf(process.platform !== "win32")("what is no regular file", () => {
  test("is refused by name, not waited for, wherever files are read", async () => {
    const pipe = at("odd", "pipe.png");
    const said = `${pipe}: is a named pipe (FIFO), not a file with data; remove it or name a file`;
    await expect(readBytes(pipe)).rejects.toThrow(said);
    await expect(NpzFile.open(pipe)).rejects.toThrow(said);
    await expect(list(at("odd"))).rejects.toThrow(said);
    expect(() => listInputs([pipe])).toThrow(said);
    expect(() => listInputs([at("odd")])).toThrow(said);
  });

  test("is refused as weights, checkpoint, configuration and what lies beside them", async () => {
    const pipe = at("odd", "pipe.png");
    const said = `${pipe}: is a named pipe (FIFO), not a file with data; remove it or name a file`;
    for (const read of [readWeights, readPth, readSafetensors, readSafetensorsMetadata, loadCheckpoint]) {
      await expect(read(pipe)).rejects.toThrow(said);
      await expect(read(pipe)).rejects.toBeInstanceOf(CheckpointError);
    }
    expect(() => checkpointPath(pipe)).toThrow(said);
    expect(() => readConfigFile(pipe)).toThrow(`--config ${said}`);
    expect(() => readConfigFile(pipe)).toThrow(UsageError);
    expect(() => parseReading({ palette: pipe })).toThrow(`--palette ${said}`);
    await expect(readDatasetYaml(pipe)).rejects.toThrow(said);
    await expect(FileIndex.open(pipe, root)).rejects.toThrow(said);
    expect(() => readDataRecord(pipe)).toThrow(said);
    expect(() => checkpointPath(at("folder.png"))).toThrow("has no checkpoint");
    await expect(readWeights(at("folder.png"))).rejects.toThrow("is a folder, not a file with data");
  });

  test.each([
    ["socket.png", "a socket"],
    ["folder.png", "a folder"],
  ])("%s is called %s", async (name, kind) => {
    await expect(readBytes(at(name))).rejects.toThrow(`is ${kind}, not a file`);
  });

  test.runIf(process.platform === "linux")("/dev/zero is called a device", async () => {
    await expect(readBytes("/dev/zero")).rejects.toThrow("is a device, not a file");
  });
});

/** Sentences of a dataset's errors. */
async function errorsOf(folder: string): Promise<string[]> {
  const { findings } = await verifyDataset(await openDataset(folder), { indexFile: at("index.json"), workers: 0 });
  return findings.filter(({ severity }) => severity === "error").map(({ message }) => message);
}

describe.runIf(process.platform !== "win32")("a data set", () => {
  test("with a pipe for an image is refused, and so is a link that leads out of it; links within it are followed", async () => {
    const [pipe, out, within] = ["0000", "0001", "0002"].map((n) => at("cells", "train", `train-${n}.png`));
    if (!pipe || !out || !within) throw new Error("three names");
    expect(await errorsOf(at("cells"))).toEqual([]);
    renameSync(within, at("cells", "train", "..kept"));
    symlinkSync(at("cells", "train", "..kept"), within);
    copyFileSync(out, at("outside.png"));
    rmSync(out);
    symlinkSync(at("outside.png"), out);
    rmSync(pipe);
    spawnSync("mkfifo", [pipe]);
    const errors = await errorsOf(at("cells"));
    expect(errors).toHaveLength(2);
    expect(errors.find((text) => text.startsWith(pipe))).toContain("is a named pipe");
    expect(errors.find((text) => text.startsWith(out))).toContain(
      `is a symbolic link that leads out of the data set, to ${at("outside.png")}; put the file itself there`,
    );
  });

  test("whose whole split lies elsewhere is refused too", async () => {
    await writeSynth(cellsKind, { out: at("more"), train: 1, val: 1, size: 48, seed: 2 });
    renameSync(at("more", "train"), at("elsewhere"));
    symlinkSync(at("elsewhere"), at("more", "train"));
    expect((await errorsOf(at("more"))).join()).toContain("leads out of the data set");
  });

  test("that is itself reached by a link is read as usual", async () => {
    await writeSynth(cellsKind, { out: at("real"), train: 1, val: 1, size: 48, seed: 3 });
    symlinkSync(at("real"), at("alias"));
    expect(await errorsOf(at("alias"))).toEqual([]);
  });
});
