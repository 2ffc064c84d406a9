import { statSync } from "node:fs";
import { extname } from "node:path";
import type { Command } from "commander";
import { CheckpointError, UsageError } from "../../errors.ts";
import {
  type Checkpoint,
  loadCheckpoint,
  loadOldCheckpoint,
  saveCheckpoint,
} from "../../experiment/checkpoint/checkpoint.ts";
import { checkpointToOnnx, convertToSafetensors, writeOnnx } from "../../experiment/checkpoint/export.ts";
import { importCheckpoint } from "../../experiment/checkpoint/import-checkpoint.ts";
import { checkpointPath } from "../../experiment/checkpoint/load-run.ts";
import { requireWritableFile } from "../../files/folder.ts";
import { addDescription, type DescriptionFlags, describedFacts } from "../described-network.ts";
import { note, printJson, printLine } from "../print.ts";

interface ConvertFlags extends DescriptionFlags {
  readonly out: string;
  readonly json?: true;
}

/** `svanet convert`: weights into the files other tools read, and weights of other programs into checkpoints. */
export function register(command: Command): void {
  command
    .argument("<in>", "run folder, checkpoint, .pth, .pt or .safetensors")
    .requiredOption("--out <file>", "file to write: .safetensors or .onnx (of a checkpoint, or with --model)")
    .option("--json", "print the written file as JSON");
  addDescription(command).action(convert);
}

async function convert(from: string, flags: ConvertFlags): Promise<void> {
  const { out, json } = flags;
  const path = checkpointPath(from);
  const format = extname(out).toLowerCase();
  if (format !== ".safetensors" && format !== ".onnx") {
    throw new UsageError(`--out ${out}: the format is chosen by the ending, .safetensors or .onnx`);
  }
  requireWritableFile(out, `--out ${out}`);
  const imported = await importedFrom(path, flags);
  const facts = format === ".onnx" ? await toOnnx(path, out, imported) : await toSafetensors(path, out, imported);
  const bytes = statSync(out).size;
  if (json) printJson({ file: out, bytes, ...facts });
  else printLine(`${out}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
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

async function toSafetensors(path: string, out: string, imported: Checkpoint | undefined): Promise<object> {
  if (imported) {
    const { tensors, facts } = imported;
    await saveCheckpoint(out, tensors, facts);
    const { preset, classes, mean, std } = facts;
    return { tensors: tensors.size, preset, classes, mean, std };
  }
  const { tensors, notes } = await convertToSafetensors(path, out);
  for (const line of notes) note(`${path}: ${line}`);
  return { tensors };
}

async function toOnnx(path: string, out: string, imported: Checkpoint | undefined): Promise<object> {
  const checkpoint = imported ?? (await loadForOnnx(path));
  writeOnnx(out, checkpointToOnnx(checkpoint));
  const { preset, config } = checkpoint.facts;
  return { preset, input: ["batch", 3, config.height, config.width], output: "logits" };
}

/** Only a checkpoint says which network its tensors belong to. */
async function loadForOnnx(path: string): Promise<Checkpoint> {
  if (/\.(pth|pt)$/i.test(path)) {
    throw new CheckpointError(
      `${path} holds tensors but does not say of which network: add --model <name> and --classes <n>`,
    );
  }
  return loadCheckpoint(path);
}
