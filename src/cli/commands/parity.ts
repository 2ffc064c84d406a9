import type { Command } from "commander";
import { adapterOption } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";

interface ParityFlags {
  readonly adapter?: string;
  readonly json?: true;
}

/** `svanet parity`: checks golden files against what this machine computes. */
export function register(command: Command): void {
  command
    .argument("<paths...>", "golden files (.safetensors) or folders of them")
    .addOption(adapterOption())
    .option("--json", "print the outcome as JSON")
    .action(parity);
}

async function parity(paths: string[], { adapter, json }: ParityFlags): Promise<void> {
  const { openDevice } = await import("../../platform/node/open-device.ts");
  const { everyChecker } = await import("../../parity/checkers.ts");
  const { runParity } = await import("../../parity/run.ts");
  const find = everyChecker(() => openDevice({ adapter }));
  const result = await runParity(paths, find, ({ file, failures }) => {
    note(`${failures.length === 0 ? "pass" : "FAIL"} ${file}`);
  });
  if (json) printJson({ files: result.files, failures: result.failures });
  else printLine(result.text);
  process.exitCode = result.exitCode;
}
