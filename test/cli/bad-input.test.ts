import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMask, writePng } from "../../src/data/decode.ts";
import { filled } from "../../src/data/image/image.ts";
import { saveCheckpoint } from "../../src/experiment/checkpoint/checkpoint.ts";
import { networkTensors } from "../../src/inference/checkpoint/checkpoint.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { encodeSafetensors, storeFloat32 } from "../../src/weights/safetensors.ts";
import { svanet } from "../support/svanet.ts";
import { cells, scratchFolder, tinyTrainer } from "../support/training.ts";

const scratch = scratchFolder();
const at = (...names: string[]) => join(scratch.path, ...names);
const TINY = ["--encoder", "mini", "--width", "4", "--size", "64"];
const checkpoint = at("good.safetensors");

beforeAll(async () => {
  await cells(at("good"), 3, 2);
  const grey = { create: { width: 16, height: 16, channels: 3, background: { r: 120, g: 100, b: 90 } } } as const;
  await sharp(grey)
    .jpeg()
    .toFile(at("good", "train", "photo.jpg"));
  await writePng(at("good", "mask", "photo.png"), filled({ width: 16, height: 16 }, 1, 1));
  const device = await openDevice();
  const { network, config, destroy } = await tinyTrainer(device);
  const facts = {
    preset: config.preset,
    config: network.config,
    classes: ["background", "foreground"],
    colours: [[0, 0, 0] as const, [255, 176, 0] as const],
    mean: [0.5, 0.5, 0.5] as const,
    std: [0.2, 0.2, 0.2] as const,
    progress: { step: 1, epoch: 1, stepInEpoch: 0, best: null, bestEpoch: null, recipe: "{}" },
  };
  await saveCheckpoint(checkpoint, await networkTensors(network), facts);
  destroy();
  device.close();
});
afterAll(() => scratch.remove());

/** One sentence about what is wrong, an exit code, and neither a stack nor an apology. */
function refused(args: readonly string[], status: number, ...texts: readonly string[]): void {
  const answer = svanet(...args);
  expect(answer.status, answer.stderr).toBe(status);
  for (const text of texts) expect(answer.stderr).toContain(text);
  expect(answer.stderr).not.toContain("    at ");
  expect(answer.stderr).not.toContain("This is a bug");
  expect(answer.stdout).toBe("");
}

/** A copy of the good set with something done to it. */
function spoilt(name: string, change: (folder: string) => void): string {
  const folder = at(name);
  cpSync(at("good"), folder, { recursive: true });
  change(folder);
  return folder;
}

const truncate = (file: string) => writeFileSync(file, readFileSync(file).subarray(0, readFileSync(file).length / 2));
const train = (data: string, ...more: string[]) => ["train", "--data", data, "--out", at("run"), ...TINY, ...more];

test("a folder that is not there", () => {
  refused(train(at("nowhere")), 1, `${at("nowhere")}: there is no such folder; a dataset folder holds train/`);
});

test("several things wrong with files, all named at once", () => {
  const folder = spoilt("files", (f) => {
    rmSync(join(f, "mask", "train-0000.png"));
    truncate(join(f, "train", "train-0001.png"));
    truncate(join(f, "train", "photo.jpg"));
    copyFileSync(join(f, "mask", "photo.png"), join(f, "mask", "train-0002.png"));
  });
  refused(
    train(folder),
    1,
    `${folder}: 4 problems in train, val:`,
    `${join(folder, "train", "train-0000.png")}: has no mask; expected ${join(folder, "mask", "train-0000.png")}`,
    `${join(folder, "train", "train-0001.png")}: the image is damaged, cut short`,
    `${join(folder, "train", "photo.jpg")}: the image is damaged, cut short`,
    "train-0002.png: the mask is 16x16, its image",
    "is 64x64; both need one size",
  );
});

test("a mask that is cut short", () => {
  const folder = spoilt("mask", (f) => truncate(join(f, "mask", "val-0000.png")));
  refused(train(folder), 1, join(folder, "mask", "val-0000.png"));
});

test("a label beyond the classes of dataset.yaml", async () => {
  const folder = spoilt("label", () => {});
  await writePng(join(folder, "mask", "train-0000.png"), filled({ width: 64, height: 64 }, 1, 3));
  refused(
    train(folder),
    1,
    `${join(folder, "mask", "train-0000.png")}: holds label 3 (4096 pixels), beyond the 2 classes (0 background, 1`,
    "correct the mask or name the class in dataset.yaml",
  );
});

test("black and white masks: what was found and how to map it", async () => {
  const folder = spoilt("white", (f) => rmSync(join(f, "dataset.yaml")));
  for (const name of ["train-0000", "train-0001", "train-0002", "val-0000", "val-0001", "photo"]) {
    const file = join(folder, "mask", `${name}.png`);
    const mask = await readMask(file);
    await writePng(file, { ...mask, data: mask.data.map((label) => (label > 0 ? 255 : 0)) });
  }
  refused(
    train(folder),
    1,
    "masks hold only the values 0 and 255",
    `svanet data prepare folder --from ${folder} --out NEW-FOLDER --map 255=1`,
  );
});

test("masks without any object", async () => {
  const folder = spoilt("empty", (f) => rmSync(join(f, "dataset.yaml")));
  for (const name of ["train-0000", "train-0001", "train-0002", "val-0000", "val-0001"]) {
    await writePng(join(folder, "mask", `${name}.png`), filled({ width: 64, height: 64 }, 1, 0));
  }
  rmSync(join(folder, "train", "photo.jpg"));
  refused(train(folder), 1, `${folder}: every mask holds only 0 (background); there is nothing to learn or measure`);
});

test("sizes, widths and batches that no network takes", () => {
  const good = at("good");
  refused(
    train(good, "--size", "100"),
    2,
    "--size 100x100: the network needs sides that are multiples of 32, such as 96x96 or 128x128",
  );
  refused(
    train(good, "--preset", "svanet-text"),
    2,
    "which 4 heads do not divide; use --width 8 or, where a command has it, --former-heads 2",
  );
  refused(
    train(good, "--batch-size", "1"),
    2,
    "--batch-size 1: aspp.image.norm sees one value a channel, whose statistics do not exist",
  );
  refused(train(good, "--classes", "1"), 2, "--classes: 1 does not fit");
});

test("losses with what they have no place for", () => {
  const good = at("good");
  refused(
    train(good, "--loss", "structure", "--dice-weight", "1"),
    2,
    "--dice-weight 1 has no place in --loss structure",
  );
  refused(train(good, "--head-weights", "1,2"), 2, "in the order of its own weights: classifier 1");
});

test("options and names that do not exist", () => {
  const good = at("good");
  refused(train(good, "--epoch", "3"), 2, "svanet: unknown option '--epoch'", "(Did you mean --epochs?)");
  refused(train(good, "--preset", "svanett"), 2, '--preset: "svanett" does not fit: Did you mean svanet?');
  refused(train(good, "--encoder", "resnet51"), 2, '--encoder: "resnet51" does not fit: Did you mean resnet50?');
  refused(
    train(good, "--ablation", "t4-basline"),
    2,
    "--ablation: there is no variant t4-basline. Did you mean t4-baseline?",
  );
  refused(
    ["ablate", "tabel6", "--data", good, "--out", at("a")],
    2,
    "there is no ablation table tabel6. Did you mean table6?",
  );
  refused(
    ["ablate", "6", "--data", good, "--out", at("a"), "--repeats", "0"],
    2,
    "option '--repeats <n>' argument '0' is invalid. Expected a whole number from 1.",
  );
  refused(
    ["ablate", "table4", "table5", "--rows", "1,2", "--data", good, "--out", at("a")],
    2,
    "--rows 1,2: rows are chosen of one table, not of 2",
  );
  refused(["train", "--out", at("run")], 2, "--data is missing");
});

test("checkpoints that are damaged, foreign or none", () => {
  const bytes = readFileSync(checkpoint);
  const files = { flipped: Buffer.from(bytes), cut: bytes.subarray(0, 5000), none: Buffer.from("hello ".repeat(20)) };
  files.flipped[bytes.length - 100] = 1 ^ (bytes[bytes.length - 100] ?? 0);
  for (const [name, content] of Object.entries(files)) writeFileSync(at(`${name}.safetensors`), content);
  writeFileSync(at("foreign.safetensors"), encodeSafetensors(new Map([["w", storeFloat32(Float32Array.of(1), [1])]])));
  const judge = (name: string) => ["eval", at(`${name}.safetensors`), "--data", at("good")];
  refused(judge("flipped"), 1, "flipped.safetensors is damaged: its checksum does not match its contents");
  refused(judge("cut"), 1, "cut.safetensors");
  refused(judge("none"), 1, "none.safetensors");
  refused(judge("foreign"), 1, "foreign.safetensors is a safetensors file but no svanet checkpoint");
  refused(["predict", at("foreign.safetensors"), at("good", "val"), "--out", at("p")], 1, "no svanet checkpoint");
  refused(judge("missing"), 2, "missing.safetensors does not exist: give a run folder or a .safetensors checkpoint");
});

test("what cannot be evaluated or predicted", async () => {
  const folder = spoilt("beyond", () => {});
  await writePng(join(folder, "mask", "val-0000.png"), filled({ width: 64, height: 64 }, 1, 2));
  refused(["eval", checkpoint, "--data", folder], 1, "holds label 2 (4096 pixels), beyond the 2 classes");
  refused(
    ["eval", checkpoint, "--data", at("good"), "--split", "test"],
    1,
    'there is no split "test" (found: train, val)',
  );
  mkdirSync(at("nothing"));
  const predict = (...inputs: string[]) => ["predict", checkpoint, ...inputs, "--out", at("predicted")];
  refused(predict(at("nothing")), 2, `${at("nothing")} holds no image`);
  refused(predict(at("missing.png")), 2, `${at("missing.png")} does not exist`);
  copyFileSync(join(at("good"), "val", "val-0000.png"), at("short.png"));
  truncate(at("short.png"));
  refused(predict(at("short.png")), 1, `${at("short.png")}: the image is damaged, cut short`);
});
