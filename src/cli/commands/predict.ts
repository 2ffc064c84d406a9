import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Command } from "commander";
import { imageExtensions } from "../../data/decode.ts";
import { UsageError } from "../../errors.ts";
import { checkpointPath, loadNetwork } from "../../experiment/load-run.ts";
import { Predictor, writePrediction } from "../../experiment/predict.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";
import { withDevice } from "../session.ts";

interface PredictFlags {
  readonly out: string;
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet predict`: masks at native size and overlays for image files or folders of them. */
export function register(command: Command): void {
  command
    .argument("<checkpoint>", "run folder, or a checkpoint file")
    .argument("<files...>", "images, or folders of images")
    .requiredOption("--out <folder>", "where to write <stem>.png and <stem>-overlay.png")
    .option("--adapter <name>", "part of the GPU adapter's name")
    .option("--json", "print the written files as JSON")
    .action(predict);
}

async function predict(run: string, inputs: readonly string[], flags: PredictFlags): Promise<void> {
  const path = checkpointPath(run);
  const files = listImages(inputs);
  refuseEqualStems(files);
  await withDevice(flags.adapter ?? null, async (device) => {
    const { network, checkpoint } = await loadNetwork(device, path);
    const predictor = new Predictor(network, checkpoint);
    mkdirSync(flags.out, { recursive: true });
    const progress = createProgress({ label: "predicting", total: files.length });
    const written = [];
    try {
      for (const [i, file] of files.entries()) {
        const prediction = await predictor.predict(file);
        written.push({
          image: file,
          ...(await writePrediction(flags.out, file, prediction, checkpoint.facts.colours)),
        });
        progress.update(i + 1);
      }
    } finally {
      progress.stop();
      network.destroy();
    }
    if (flags.json) printJson(written);
    else for (const { mask } of written) printLine(mask);
    note(
      `${files.length} masks (pixel = class index: ${checkpoint.facts.classes.join(", ")}) and overlays in ${flags.out}`,
    );
  });
}

/** Images of files and folders, folders in name order. A folder without images and a file that is none are refused. */
function listImages(inputs: readonly string[]): string[] {
  return inputs.flatMap((input) => {
    if (!existsSync(input)) throw new UsageError(`${input} does not exist: give image files or folders of images`);
    if (!statSync(input).isDirectory()) return [input];
    const found = readdirSync(input)
      .filter((name) => imageExtensions.has(extname(name).toLowerCase()))
      .sort();
    if (found.length === 0) throw new UsageError(`${input} holds no image (${[...imageExtensions].join(", ")})`);
    return found.map((name) => join(input, name));
  });
}

function refuseEqualStems(files: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const file of files) {
    const stem = basename(file, extname(file));
    const other = seen.get(stem);
    if (other !== undefined) {
      throw new UsageError(
        `${other} and ${file} would both be written as ${stem}.png: predict them into two --out folders`,
      );
    }
    seen.set(stem, file);
  }
}
