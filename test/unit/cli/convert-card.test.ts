import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { register } from "../../../src/cli/commands/convert.ts";
import { CARD_KEY, loadCheckpoint, saveCheckpoint } from "../../../src/experiment/checkpoint/checkpoint.ts";
import { runPaths } from "../../../src/experiment/run/run-folder.ts";
import { resolveConfig, writeConfig } from "../../../src/experiment/settings/config.ts";
import { recipeText } from "../../../src/experiment/settings/recipe.ts";
import type { CheckpointFacts } from "../../../src/inference/checkpoint/facts.ts";
import { initialValues } from "../../../src/model/parameters.ts";
import { type NetworkConfig, traceNetwork } from "../../../src/model/zoo.ts";
import { storeFloat32 } from "../../../src/weights/safetensors.ts";
import { readSafetensorsMetadata, writeSafetensors } from "../../../src/weights/safetensors-file.ts";
import { untrained } from "../../support/checkpoint.ts";
import { catchPrinted } from "../../support/printed.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-card-"));
afterAll(() => rmSync(scratch, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

const UNET: NetworkConfig = { kind: "unet", classes: 2, height: 16, width: 16, base: 1, depth: 2 };
const { parameters } = traceNetwork(UNET, { mode: "eval", batch: 2 }).build;
const TENSORS = new Map(
  parameters.list().map((slot) => [slot.name, storeFloat32(initialValues(slot, 0), slot.shape)] as const),
);
const config = resolveConfig({
  data: "/home/someone/secret study/cells",
  out: "o",
  model: "unet",
  weights: "/home/someone/secret study/start.pth",
});
const FACTS: CheckpointFacts = {
  ...untrained("unet", UNET),
  classes: ["background", "cell | <b>nucleus</b>"],
  progress: { step: 40, epoch: 4, stepInEpoch: 0, best: 71.25, bestEpoch: 3, recipe: recipeText(config) },
};

const stratum = (images: number, emptyImages: number, foregroundDice: number | null) => ({
  ...{ images, emptyImages, foregroundDice, mDice: 80, mIoU: 70, sensitivity: 75.5 },
});
const SCORES = {
  split: "val",
  scoredAt: "native",
  strata: { all: stratum(12, 0, 66.789), 1: stratum(3, 3, null), 10: stratum(5, 1, 60) },
  lesions: [{ overlap: 0.5, bins: [{ from: 0, to: 1, truth: 20, found: 11 }] }],
};

let paths: ReturnType<typeof runPaths>;
/** A run folder as training and evaluation leave one, but for its logs. */
beforeEach(async () => {
  paths = runPaths(mkdtempSync(join(scratch, "run-")));
  for (const folder of [paths.checkpoints, paths.eval]) mkdirSync(folder);
  await saveCheckpoint(paths.best, TENSORS, FACTS);
  writeConfig(paths.config, config);
  const files = ["train/a.png", "train/b.png", "val/c.png", "mask/a.png"].map((name) => [name, "0".repeat(64)]);
  writeFileSync(paths.data, JSON.stringify({ version: 1, mean: [0.5], std: [0.5], files }));
  const adapter = { name: "a GPU" };
  const environment = { svanet: "0.1.0", commit: "abcdef0123456789", adapter, host: "secret-host" };
  writeFileSync(paths.environment, JSON.stringify({ sessions: [{ ...environment, svanet: "0.0.9" }, environment] }));
  writeFileSync(join(paths.eval, "eval.json"), JSON.stringify({ checkpoint: paths.best, ...SCORES }));
});

/** Runs `svanet convert`; what it printed. */
async function convert(...words: readonly string[]): Promise<string> {
  const lines = catchPrinted();
  const command = new Command().exitOverride();
  register(command);
  await command.parseAsync(words, { from: "user" });
  return lines.join("\n");
}

async function cardOf(...more: readonly string[]): Promise<string> {
  const out = join(paths.folder, "net.safetensors");
  await convert(paths.folder, "--out", out, "--card", ...more);
  return readFileSync(join(paths.folder, "net.md"), "utf8");
}

test("a card says what it is, its data, recipe, scores by size, limits and licence", async () => {
  const card = await cardOf("--licence", "CC-BY-4.0");
  for (const line of [
    '---\nlicense: "CC-BY-4.0"\nlibrary_name: svanet\n',
    "# net.safetensors",
    `| network | unet, ${parameters.count()} parameters |`,
    "| images are resized to | 16x16 pixels |",
    "| data set | cells |",
    "| image files | train 2, val 1 |",
    "| svanet | 0.1.0 (abcdef012345) |",
    "| GPU | a GPU |",
    "| best score of val | 71.25 % in epoch 4 |",
    "| size | 512x512 |",
    "| weights | start.pth |",
    "| optimizer | adamw |",
    "| < 1 % | 3 | - | 80.00 | 70.00 | 75.50 |\n| < 10 % | 5 | 60.00 |",
    "| all | 12 | 66.79 | 80.00 | 70.00 | 75.50 |",
    "| 0 to 1 | 20 | 11 |",
    "- Objects of under 1 % of the image were not in the images scored",
    "- Objects of under 10 % of the image are measured on 4 images",
    "- The images scored also chose the checkpoint",
    "It is no medical device",
    "## Licence\n\nCC-BY-4.0.",
  ]) {
    expect(card).toContain(line);
  }
  expect(card).not.toContain("of any size");
});

test("a class's name cannot break the page, and no path, host or command is told", async () => {
  const card = await cardOf();
  expect(card).toContain("background, cell \\| \\<b>nucleus\\</b>");
  expect(card).not.toMatch(/secret|someone|home/);
  expect(card).toContain("## Licence\n\nNot stated.");
  expect(card).not.toContain("license:");
});

test("the card is in the file's metadata: of safetensors, of a checkpoint and of ONNX", async () => {
  const card = await cardOf();
  const plain = await readSafetensorsMetadata(join(paths.folder, "net.safetensors"));
  expect(plain.metadata).toEqual(
    new Map([
      ["format", "pt"],
      [CARD_KEY, card],
    ]),
  );
  const onnx = join(paths.folder, "net.onnx");
  await convert(paths.folder, "--out", onnx, "--card");
  expect(readFileSync(onnx).includes(readFileSync(join(paths.folder, "net.md")))).toBe(true);
  const foreign = join(paths.folder, "foreign.safetensors");
  await writeSafetensors(foreign, TENSORS);
  const own = join(paths.folder, "own.safetensors");
  const flags = ["--model", "unet", "--width", "1", "--size", "16", "--classes", "background,cell"];
  await convert(foreign, "--out", own, "--card", ...flags, "--partial");
  const written = await loadCheckpoint(own);
  expect(written.facts.classes).toEqual(["background", "cell"]);
  const page = readFileSync(join(paths.folder, "own.md"), "utf8");
  expect(page).toContain("## Training\n\nBy another program; converted by svanet.");
  expect(page).toContain("## Data\n\nNot known here");
  expect(page).toContain("How good it is has not been measured");
  expect((await readSafetensorsMetadata(own)).metadata.get(CARD_KEY)).toBe(page);
});

test("scores of another file, or older than the file, are no scores of it", async () => {
  utimesSync(paths.best, new Date(), new Date(Date.now() + 60_000));
  expect(await cardOf()).toContain("None are recorded: the evaluation beside it is older than the file.");
  writeFileSync(join(paths.eval, "eval.json"), JSON.stringify({ ...SCORES, checkpoint: paths.last }));
  expect(await cardOf()).toContain("the evaluation beside it is of last.safetensors");
  for (const text of ["{", "[]"]) {
    writeFileSync(join(paths.eval, "eval.json"), text);
    expect(await cardOf()).toContain("None are recorded. `svanet eval` makes them.");
  }
});

test("what a card cannot be written for is refused before anything is written", async () => {
  const out = join(paths.folder, "x.safetensors");
  await expect(convert(paths.best, "--out", out, "--licence", "MIT")).rejects.toThrow("add --card");
  const pth = join(dirname(paths.best), "net.pth");
  await writeSafetensors(pth, TENSORS);
  await expect(convert(pth, "--out", out, "--card")).rejects.toThrow("does not say of which network");
});
