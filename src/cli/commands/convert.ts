import { statSync } from "node:fs";
import { basename, extname } from "node:path";
import type { Command } from "commander";
import { CheckpointError, UsageError } from "../../errors.ts";
import { modelCard } from "../../experiment/checkpoint/card.ts";
import { readCardRun } from "../../experiment/checkpoint/card-sources.ts";
import {
  loadCheckpoint,
  loadOldCheckpoint,
  readFacts,
  saveCheckpoint,
} from "../../experiment/checkpoint/checkpoint.ts";
import { checkpointToOnnx, convertToSafetensors, writeOnnx } from "../../experiment/checkpoint/export.ts";
import { importCheckpoint } from "../../experiment/checkpoint/import-checkpoint.ts";
import { checkpointPath } from "../../experiment/checkpoint/load-run.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { requireWritableFile } from "../../files/folder.ts";
import type { Checkpoint } from "../../inference/checkpoint/checkpoint.ts";
import { textArgument } from "../arguments.ts";
import { addDescription, type DescriptionFlags, describedFacts } from "../described-network.ts";
import { note, printJson, printLine } from "../print.ts";

interface ConvertFlags extends DescriptionFlags {
  readonly out: string;
  readonly card?: true;
  readonly licence?: string;
  readonly json?: true;
}

/** `svanet convert`: weights into the files other tools read, and weights of other programs into checkpoints. */
export function register(command: Command): void {
  command
    .argument("<in>", "run folder, checkpoint, .pth, .pt or .safetensors")
    .requiredOption("--out <file>", "file to write: .safetensors or .onnx (of a checkpoint, or with --model)")
    .option("--card", "also write what the weights are, as a .md beside the file and into its metadata")
    .option("--licence <name>", "with --card: licence of the weights, such as CC-BY-4.0", textArgument)
    .option("--json", "print the written file as JSON");
  addDescription(command).action(convert);
}

async function convert(from: string, flags: ConvertFlags): Promise<void> {
  const { out, json } = flags;
  if (flags.licence !== undefined && !flags.card) throw new UsageError("--licence stands in a model card: add --card");
  const path = checkpointPath(from);
  const format = extname(out).toLowerCase();
  if (format !== ".safetensors" && format !== ".onnx") {
    throw new UsageError(`--out ${out}: the format is chosen by the ending, .safetensors or .onnx`);
  }
  requireWritableFile(out, `--out ${out}`);
  const cardFile = `${out.slice(0, -format.length)}.md`;
  if (flags.card) requireWritableFile(cardFile, `--card, ${cardFile}`);
  const imported = await importedFrom(path, flags);
  const card = flags.card ? await cardOf(path, imported, flags) : undefined;
  const work = { path, out, imported, card };
  const facts = format === ".onnx" ? await toOnnx(work) : await toSafetensors(work);
  if (card !== undefined) writeFileAtomic(cardFile, card);
  const bytes = statSync(out).size;
  if (json) printJson({ file: out, bytes, ...(card === undefined ? {} : { card: cardFile }), ...facts });
  else printLine(`${out}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  if (card !== undefined && !json) printLine(cardFile);
}

/** The model card of what is converted. Throws CheckpointError where nothing says which network it is. */
async function cardOf(path: string, imported: Checkpoint | undefined, { out, licence }: ConvertFlags): Promise<string> {
  if (!imported) requireSelfDescribing(path);
  const facts = imported?.facts ?? (await readFacts(path));
  const foreign = facts.progress.recipe === "";
  const card = modelCard(facts, foreign ? {} : readCardRun(path), { title: basename(out), licence, foreign });
  if (licence === undefined) note("the card states no licence: --licence NAME does");
  return card;
}

/** What is converted, and how. */
interface Work {
  readonly path: string;
  readonly out: string;
  readonly imported: Checkpoint | undefined;
  readonly card: string | undefined;
}

/** The file's tensors as a checkpoint: of the network that the flags describe, or an older one of ours; else undefined. */
async function importedFrom(path: string, flags: ConvertFlags): Promise<Checkpoint | undefined> {
  const described = await describedFacts(flags);
  if (!described) return upgraded(path);
  const { checkpoint, notes } = await importCheckpoint(path, described.facts, described);
  for (const line of notes) note(`${path}: ${line}`);
  if (described.assumption !== undefined) note(described.assumption);
  return checkpoint;
}

/** A checkpoint of an older svanet, to be written anew with all it holds; undefined for any other file. */
async function upgraded(path: string): Promise<Checkpoint | undefined> {
  const old = await loadOldCheckpoint(path);
  if (old) note(`${path}: a checkpoint of an older svanet, written anew with all that it holds`);
  return old;
}

async function toSafetensors({ path, out, imported, card }: Work): Promise<object> {
  if (imported) {
    const { tensors, facts } = imported;
    await saveCheckpoint(out, tensors, facts, card);
    const { preset, classes, mean, std } = facts;
    return { tensors: tensors.size, preset, classes, mean, std };
  }
  const { tensors, notes } = await convertToSafetensors(path, out, card);
  for (const line of notes) note(`${path}: ${line}`);
  return { tensors };
}

async function toOnnx({ path, out, imported, card }: Work): Promise<object> {
  if (!imported) requireSelfDescribing(path);
  const checkpoint = imported ?? (await loadCheckpoint(path));
  writeOnnx(out, checkpointToOnnx(checkpoint, card));
  const { preset, config } = checkpoint.facts;
  return { preset, input: ["batch", 3, config.height, config.width], output: "logits" };
}

/** Only a checkpoint says which network its tensors belong to. */
function requireSelfDescribing(path: string): void {
  if (!/\.(pth|pt)$/i.test(path)) return;
  throw new CheckpointError(
    `${path} holds tensors but does not say of which network: add --model <name> and --classes <n>`,
  );
}
