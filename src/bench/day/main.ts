import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { partsOf } from "./parts.ts";
import { type Outcome, runParts } from "./run-parts.ts";
import { dayTable } from "./table.ts";

// What bench/gpu-day.sh starts, on a machine that has Node, dist and its packages only.
const { values } = parseArgs({
  options: {
    out: { type: "string", default: "gpu-day" },
    seconds: { type: "string", default: "480" },
    tiny: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("../../..", import.meta.url));
const started = new Date().toISOString();

/** After each part, so that a machine that goes away leaves what was measured. */
function writeDay(outcomes: readonly Outcome[]): void {
  const machine = { host: hostname(), cpu: cpus()[0]?.model ?? "", cores: cpus().length, memory: totalmem() };
  const day = { started, machine, node: process.version, tiny: values.tiny, parts: outcomes };
  writeFileSync(join(values.out, "gpu-day.json"), `${JSON.stringify(day, null, 2)}\n`);
  writeFileSync(join(values.out, "gpu-day.md"), `# A day of a GPU, ${started}\n\n${dayTable(outcomes)}`);
}

mkdirSync(values.out, { recursive: true });
const outcomes = await runParts(
  partsOf(root, values.tiny),
  Number(values.seconds),
  ({ name, seconds, failure }, all) => {
    writeDay(all);
    process.stderr.write(`${name}: ${seconds.toFixed(1)} s${failure === null ? "" : `, FAILED: ${failure}`}\n`);
  },
);
process.stdout.write(`${join(values.out, "gpu-day.json")}\n${join(values.out, "gpu-day.md")}\n`);
// A failed part is a result; a day without any is none.
process.exitCode = outcomes.some(({ failure }) => failure === null) ? 0 : 1;
