import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError } from "../../errors.ts";
import { partsOf } from "./parts.ts";
import { type Outcome, runParts } from "./run-parts.ts";
import { dayTable } from "./table.ts";

const USAGE = "usage: gpu-day.sh [--out FOLDER] [--seconds 480] [--tiny]";

interface Flags {
  readonly out: string;
  /** Of all parts together. */
  readonly seconds: number;
  readonly tiny: boolean;
}

/** What bench/gpu-day.sh is given. UsageError for anything else. */
function readFlags(): Flags {
  const seconds = { type: "string", default: "480" } as const;
  const options = {
    out: { type: "string", default: "gpu-day" },
    seconds,
    tiny: { type: "boolean", default: false },
  } as const;
  try {
    const { values } = parseArgs({ options });
    const limit = Number(values.seconds);
    if (!(limit > 0)) throw new UsageError(`--seconds ${values.seconds}: a number above 0 is wanted`);
    return { ...values, seconds: limit };
  } catch (error) {
    throw new UsageError(`gpu-day: ${error instanceof Error ? error.message : String(error)}. ${USAGE}`);
  }
}

/** After each part, so that a machine that goes away leaves what was measured. */
function writeDay(flags: Flags, started: string, outcomes: readonly Outcome[]): void {
  const machine = { host: hostname(), cpu: cpus()[0]?.model ?? "", cores: cpus().length, memory: totalmem() };
  const day = { started, machine, node: process.version, tiny: flags.tiny, parts: outcomes };
  writeFileSync(join(flags.out, "gpu-day.json"), `${JSON.stringify(day, null, 2)}\n`);
  writeFileSync(join(flags.out, "gpu-day.md"), `# A day of a GPU, ${started}\n\n${dayTable(outcomes)}`);
}

/** What is run on a machine that has Node, dist and its packages only. Returns the exit code. */
async function day(flags: Flags): Promise<number> {
  const started = new Date().toISOString();
  mkdirSync(flags.out, { recursive: true });
  const parts = partsOf(fileURLToPath(new URL("../../..", import.meta.url)), flags.tiny);
  const outcomes = await runParts(parts, flags.seconds, ({ name, seconds, failure }, all) => {
    writeDay(flags, started, all);
    process.stderr.write(`${name}: ${seconds.toFixed(1)} s${failure === null ? "" : `, FAILED: ${failure}`}\n`);
  });
  process.stdout.write(`${join(flags.out, "gpu-day.json")}\n${join(flags.out, "gpu-day.md")}\n`);
  // A failed part is a result; a day without any is none.
  return outcomes.some(({ failure }) => failure === null) ? 0 : 1;
}

try {
  process.exitCode = await day(readFlags());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
