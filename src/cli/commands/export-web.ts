import { basename, resolve } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../../errors.ts";
import { loadCheckpoint } from "../../experiment/checkpoint/checkpoint.ts";
import { checkpointPath, runOf } from "../../experiment/checkpoint/load-run.ts";
import { evaluateNative } from "../../experiment/evaluate/native.ts";
import { PAGE_PRECISIONS, type PagePrecision, pageCheckpoint } from "../../experiment/page/page-weights.ts";
import { requireExamples, writePage } from "../../experiment/page/write-page.ts";
import { requireFree } from "../../files/new-folder.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { modelOf } from "../../inference/load-model.ts";
import { Predictor } from "../../inference/predictor.ts";
import type { Device } from "../../kernels/device/device.ts";
import { textArgument } from "../arguments.ts";
import { adapterOption } from "../options.ts";
import { note, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";
import { openChecked, withDevice } from "../session.ts";
import { dataOf } from "./eval-flags.ts";

/** Points of Dice, in percent, that a page may be worse than its network. */
const MOST_LOST = 0.5;

interface ExportFlags {
  readonly out: string;
  readonly title?: string;
  readonly precision: PagePrecision;
  readonly examples?: readonly string[];
  readonly acceptLoss?: true;
  readonly data?: string;
  readonly adapter?: string;
}

/** `svanet export web`: a page that runs the network in browsers. */
export function addExportWeb(command: Command): void {
  command
    .command("web")
    .description("write a page that runs the network in the browser of whoever opens it")
    .argument("<run>", "run folder or checkpoint")
    .requiredOption("--out <folder>", "new folder for the page")
    .option("--title <text>", "heading of the page (default: the run's name)", textArgument)
    .addOption(
      new Option(
        "--precision <kind>",
        "how weights are stored: f16 halves the file, after its Dice on val was compared",
      )
        .choices(PAGE_PRECISIONS)
        .default("f32"),
    )
    .option("--examples <files...>", "pictures that the page offers to try: PNG, JPEG or WebP")
    .option("--data <folder>", "with --precision f16: data set to compare on (default: the run's)")
    .option("--accept-loss", `with --precision f16: write it even where it loses more than ${MOST_LOST} points of Dice`)
    .addOption(adapterOption())
    .action(exportWeb);
}

async function exportWeb(run: string, flags: ExportFlags): Promise<void> {
  await writeWebPage(run, flags);
}

/** Writes the page and prints its files with their sizes. */
export async function writeWebPage(run: string, flags: ExportFlags): Promise<void> {
  const { out, precision, examples = [] } = flags;
  const path = checkpointPath(run);
  requireFlags(flags);
  requireExamples(examples);
  await requireFree(out);
  const checkpoint = await loadCheckpoint(path);
  requireColours(path, checkpoint);
  const stored = pageCheckpoint(checkpoint, precision);
  if (precision === "f16") await requireAsGood(path, checkpoint, stored, flags);
  const title = flags.title ?? basename(resolve(runOf(path)));
  const files = await writePage(out, { title, checkpoint: stored, examples });
  for (const { name, bytes } of files) printLine(`${out}/${name}  ${(bytes / 1e3).toFixed(1)} kB`);
  note(`show it here with: svanet serve-page ${out}; elsewhere any web server with HTTPS shows it (docs/web.md)`);
}

function requireFlags({ precision, acceptLoss, data }: ExportFlags): void {
  if (precision === "f16") return;
  const flag = acceptLoss ? "--accept-loss" : data === undefined ? undefined : "--data";
  if (flag) throw new UsageError(`${flag} is for --precision f16: weights of f32 are those that were trained`);
}

/** Throws UsageError for a network of other channels than a page's pictures have. */
function requireColours(path: string, { facts: { channels } }: Checkpoint): void {
  if (channels === undefined) return;
  throw new UsageError(
    `${path}: this network takes the channels ${channels.names.join(", ")}, a page's pictures have red, green and blue; use svanet predict`,
  );
}

/** Compares rounded weights with the trained ones on the val split; throws UsageError where they lose too much, or nobody knows. */
async function requireAsGood(path: string, trained: Checkpoint, stored: Checkpoint, flags: ExportFlags): Promise<void> {
  const data = dataOrNone(path, flags);
  if (typeof data !== "string") {
    if (!flags.acceptLoss)
      throw new UsageError(`--precision f16: what it loses cannot be measured (${data.message}); or add --accept-loss`);
    note(`what f16 loses was not measured: ${data.message}`);
    return;
  }
  const [before, after] = await diceOf(data, [trained, stored], flags);
  const lost = before - after;
  const text = `Dice on val: ${before.toFixed(2)} % with weights of f32, ${after.toFixed(2)} % with f16 (${signed(-lost)} points)`;
  note(text);
  if (lost <= MOST_LOST || flags.acceptLoss) return;
  throw new UsageError(
    `--precision f16 loses ${lost.toFixed(2)} points of Dice, more than ${MOST_LOST}: use f32, or add --accept-loss`,
  );
}

const signed = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;

/** The data set, or why there is none. */
function dataOrNone(path: string, flags: ExportFlags): string | UsageError {
  try {
    return dataOf(flags.data === undefined ? {} : { data: flags.data }, path);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}

/** Mean Dice over the classes and images of val, in percent, of two versions of a network. */
async function diceOf(
  data: string,
  versions: readonly [Checkpoint, Checkpoint],
  { adapter }: ExportFlags,
): Promise<[number, number]> {
  const [{ facts }] = versions;
  const { splits } = await openChecked(data, ["val"], {
    classes: facts.classes,
    trained: facts.window,
    network: facts,
  });
  const samples = splits.val ?? [];
  if (samples.length === 0)
    throw new UsageError(`--precision f16: ${data} has no split val to compare on; give --data`);
  return withDevice(adapter ?? null, "f32", async (device) => {
    const diceWith = (version: Checkpoint) => diceOn(device, version, samples);
    return [await diceWith(versions[0]), await diceWith(versions[1])];
  });
}

async function diceOn(
  device: Device,
  version: Checkpoint,
  samples: Parameters<typeof evaluateNative>[0]["samples"],
): Promise<number> {
  const { network, checkpoint } = await modelOf(device, version);
  const predictor = new Predictor(network, checkpoint);
  const progress = createProgress({ label: "comparing", total: samples.length });
  try {
    const classes = checkpoint.facts.classes.length;
    const result = await evaluateNative({ samples, classes, predictor, onImage: (done) => progress.update(done) });
    return result.strata["all"]?.mDice ?? Number.NaN;
  } finally {
    progress.stop();
    predictor.destroy();
    network.destroy();
  }
}
