import { existsSync, statSync } from "node:fs";
import { extname } from "node:path";
import type { Command } from "commander";
import { CheckpointError, UsageError } from "../../errors.ts";
import { loadCheckpoint } from "../../experiment/checkpoint.ts";
import { checkpointToOnnx, convertToSafetensors, writeOnnx } from "../../experiment/export.ts";
import { checkpointPath } from "../../experiment/load-run.ts";
import { note, printJson, printLine } from "../print.ts";

interface ConvertFlags {
  readonly out: string;
  readonly json?: true;
}

/** `svanet convert`: weights into the files other tools read. */
export function register(command: Command): void {
  command
    .argument("<in>", "run folder, checkpoint, .pth, .pt or .safetensors")
    .requiredOption("--out <file>", "file to write: .safetensors (any weights) or .onnx (a checkpoint's whole network)")
    .option("--json", "print the written file as JSON")
    .action(convert);
}

async function convert(from: string, { out, json }: ConvertFlags): Promise<void> {
  const path = checkpointPath(from);
  if (existsSync(out) && statSync(out).isDirectory()) throw new UsageError(`--out ${out} is a folder; name a file`);
  const facts = await write(path, out);
  const bytes = statSync(out).size;
  if (json) printJson({ file: out, bytes, ...facts });
  else printLine(`${out}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
}

async function write(path: string, out: string): Promise<object> {
  switch (extname(out).toLowerCase()) {
    case ".safetensors": {
      const { tensors, notes } = await convertToSafetensors(path, out);
      for (const line of notes) note(`${path}: ${line}`);
      return { tensors };
    }
    case ".onnx": {
      const checkpoint = await loadForOnnx(path);
      writeOnnx(out, checkpointToOnnx(checkpoint));
      const { preset, config } = checkpoint.facts;
      return { preset, input: ["batch", 3, config.height, config.width], output: "logits" };
    }
    default:
      throw new UsageError(`--out ${out}: the format is chosen by the ending, .safetensors or .onnx`);
  }
}

/** Only a checkpoint says which network its tensors belong to. */
async function loadForOnnx(path: string) {
  if (/\.(pth|pt)$/i.test(path)) {
    throw new CheckpointError(
      `${path} holds tensors but does not say of which network; ONNX is written from a checkpoint of this program. ` +
        `Train from it (--weights ${path}), or convert it to .safetensors`,
    );
  }
  return loadCheckpoint(path);
}
