import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { openDataset, samplesOf } from "../../data/dataset/dataset.ts";
import { otsuDice } from "../../data/dataset/otsu.ts";
import { cellsKind } from "../../data/synth/cells.ts";
import { writeSynth } from "../../data/synth/write.ts";
import { resolveConfig, type TrainConfig } from "../../experiment/settings/config.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import { wholeNumber } from "../arguments.ts";
import { adapterOption, stealLockOption } from "../options.ts";
import { note, printLine } from "../print.ts";
import { formatDuration } from "../progress.ts";
import { evaluateRun } from "./eval.ts";
import { train } from "./train.ts";

interface DemoFlags {
  readonly out: string;
  readonly steps: number;
  readonly adapter?: string;
  readonly stealLock?: true;
}

/** The demo's pictures and recipe: a SvANet small enough for a machine without a GPU. */
const PICTURES = { train: 96, val: 24, size: 128, seed: 7 } as const;

/** `svanet demo`: makes data, trains a small SvANet on it, evaluates it, and says what to do next. */
export function register(command: Command): void {
  command
    .option("--out <folder>", "folder for the data and the run", "demo")
    .option("--steps <n>", "training steps", wholeNumber(1), 180)
    .addOption(adapterOption())
    .addOption(stealLockOption())
    .action(demo);
}

export function demoConfig(flags: DemoFlags): TrainConfig {
  return resolveConfig({
    data: join(flags.out, "cells"),
    out: join(flags.out, "run"),
    encoder: "mini",
    width: 8,
    size: String(PICTURES.size),
    steps: flags.steps,
    lr: 2e-3,
    evalEvery: 5,
    resume: "auto",
    adapter: flags.adapter,
    stealLock: flags.stealLock,
  });
}

async function demo(flags: DemoFlags): Promise<void> {
  const began = performance.now();
  const config = demoConfig(flags);
  requireWritableFolder(flags.out, `--out ${flags.out}`);
  if (!existsSync(join(config.data, "dataset.yaml"))) {
    note(`1. writing ${PICTURES.train + PICTURES.val} microscopy pictures with exact masks to ${config.data}`);
    rmSync(config.data, { recursive: true, force: true });
    await writeSynth(cellsKind, { out: config.data, ...PICTURES });
  } else {
    note(`1. the pictures are in ${config.data} already`);
  }
  note("2. training a small SvANet on them");
  const code = await train(config);
  if (code !== 0) {
    process.exitCode = code;
    return;
  }
  note("3. evaluating it on pictures it has not seen");
  const result = await evaluateRun(config.out, {
    data: config.data,
    split: "val",
    batchSize: 4,
    overlays: PICTURES.val,
    roc: true,
    ...(flags.adapter === undefined ? {} : { adapter: flags.adapter }),
  });
  const otsu = 100 * (await otsuDice(samplesOf(await openDataset(config.data), "val")));
  const reached = result.strata["all"]?.foregroundDice ?? Number.NaN;
  printLine(`foreground Dice on unseen pictures: SvANet ${reached.toFixed(1)} %, Otsu threshold ${otsu.toFixed(1)} %`);
  printLine(
    `took ${formatDuration((performance.now() - began) / 1000)}; pictures to look at: ${config.out}/eval/overlays`,
  );
  printLine(`
With your own data (train/, val/ with images, mask/ with one PNG of class indices an image):
  npx svanet train --data MY_DATA --out runs/mine --encoder mini --width 16 --size 256 --epochs 60 --lr 2e-3
  npx svanet eval runs/mine --data MY_DATA
  npx svanet predict runs/mine MY_IMAGES --out masks
On a GPU leave out --encoder, --width and --size for the network of the paper; svanet train --help lists everything.`);
}
