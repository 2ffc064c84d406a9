import type { Command } from "commander";
import { numberArgument } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";
import { addPrepare } from "./data-prepare.ts";
import { addStats } from "./data-stats.ts";
import { addVerify } from "./data-verify.ts";

interface CellsFlags {
  readonly out: string;
  readonly train: number;
  readonly val: number;
  readonly size: number;
  readonly seed: number;
  readonly json?: true;
}

/** `svanet data`: makes, checks and describes dataset folders. */
export function register(command: Command): void {
  addPrepare(command);
  addVerify(command);
  addStats(command);
  const synth = command.command("synth").description("write procedural data whose truth is known exactly");
  synth
    .command("cells")
    .description("small bright cells and thin-tailed swimmers on an uneven background, in colour, with exact masks")
    .requiredOption("--out <folder>", "dataset folder to write")
    .option("--train <n>", "training pictures", numberArgument, 64)
    .option("--val <n>", "validation pictures", numberArgument, 24)
    .option("--size <n>", "side of a picture in pixels", numberArgument, 128)
    .option("--seed <n>", "decides every picture", numberArgument, 0)
    .option("--json", "print what was written as JSON")
    .action(synthCells);
}

async function synthCells(flags: CellsFlags): Promise<void> {
  const { writeCells } = await import("../../data/synth/cells.ts");
  const { out, train, val, size, seed } = flags;
  const progress = createProgress({ label: "pictures", total: train + val });
  try {
    await writeCells({ out, train, val, size, seed, onProgress: (done) => progress.update(done) });
  } finally {
    progress.stop();
  }
  if (flags.json) printJson({ out, train, val, size, seed });
  else printLine(out);
  note(`${train} training and ${val} validation pictures of ${size}x${size} with masks and dataset.yaml`);
}
