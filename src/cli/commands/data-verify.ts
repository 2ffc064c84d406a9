import type { Command } from "commander";
import type { Fixed } from "../../data/dataset/fix.ts";
import type { Finding, Verification } from "../../data/dataset/verify.ts";
import type { Window } from "../../data/formats/window.ts";
import { windowArgument } from "../arguments.ts";
import { note, printJson, printLine, printTable } from "../print.ts";
import { createProgress } from "../progress.ts";
import { firstFew } from "../units.ts";
import { windowless } from "../window-flag.ts";

interface VerifyFlags {
  readonly fix?: string;
  readonly window?: Window;
  readonly json?: true;
}

/** Findings of one kind that the text lists; `--json` lists all. */
const MOST_SHOWN = 5;

/** `svanet data verify`: everything wrong or odd in a dataset folder. */
export function addVerify(command: Command): void {
  command
    .command("verify <folder>")
    .description("decode every file of a dataset folder once and report what is wrong (exit 1) or odd (exit 0)")
    .option("--fix <out>", "write a copy with what is safe put right into a new folder")
    .option(
      "--window <low,high>",
      "values of pictures of more than 8 bits shown black and white (default: dataset.yaml's, else percentiles)",
      windowArgument,
    )
    .option("--json", "print everything found as JSON")
    .action(verify);
}

async function verify(folder: string, flags: VerifyFlags): Promise<void> {
  const { openDataset } = await import("../../data/dataset/dataset.ts");
  const { requireFree } = await import("../../files/new-folder.ts");
  const { verifyDataset } = await import("../../data/dataset/verify.ts");
  const { availableParallelism } = await import("node:os");
  if (flags.fix !== undefined) await requireFree(flags.fix);
  const dataset = await openDataset(folder);
  const total = Object.values(dataset.splits).reduce((sum, samples) => sum + samples.length, 0);
  const progress = createProgress({ label: "checking files", total });
  const since = performance.now();
  let result: Verification;
  try {
    const onProgress = (done: number) => progress.update(done);
    result = await verifyDataset(dataset, {
      workers: Math.min(8, availableParallelism()),
      window: flags.window,
      onProgress,
    });
  } finally {
    progress.stop();
  }
  if (flags.window !== undefined && result.shown === undefined) throw windowless(folder);
  const seconds = (performance.now() - since) / 1000;
  const { fixDataset } = await import("../../data/dataset/fix.ts");
  const fixed = flags.fix === undefined ? undefined : await fixDataset(dataset, result, flags.fix);
  if (flags.json) {
    const { survey: _survey, ...rest } = result;
    printJson({ ...rest, seconds, ...(fixed ? { fixed } : {}) });
  } else {
    printVerification(result, seconds);
    if (fixed) printFixed(fixed);
  }
  if (result.errors > 0) process.exitCode = 1;
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
const listed = (counts: Readonly<Record<string, number>>) => {
  const names = Object.entries(counts).map(([name, count]) => `${name} (${count})`);
  return firstFew(names);
};

function printVerification(result: Verification, seconds: number): void {
  const { name, folder, images, classes, sizes, imageModes, maskModes, findings, errors, warnings } = result;
  const splits = Object.entries(images).map(([split, count]) => `${split} ${count}`);
  printLine(`${name} (${folder}): images ${splits.join(", ")}`);
  if (Object.keys(sizes).length > 0) {
    printLine(`sizes ${listed(sizes)}; images stored as ${listed(imageModes)}; masks as ${listed(maskModes)}`);
  }
  if (result.shown !== undefined) printLine(result.shown);
  if (classes.length > 0) printClasses(result);
  for (const severity of ["error", "warning"] as const) {
    printFindings(findings.filter((finding) => finding.severity === severity));
  }
  printLine(`${counted(errors, "error")}, ${counted(warnings, "warning")}`);
  note(`${result.decoded} files decoded in ${seconds.toFixed(1)} s; what was learnt is in ${result.indexFile}`);
}

function printClasses({ classes, images }: Verification): void {
  printTable(
    [
      { title: "class", cell: ({ label }) => String(label), align: "right" },
      { title: "name", cell: ({ name: own }) => own },
      ...Object.keys(images).map((split) => ({
        title: `images in ${split}`,
        align: "right" as const,
        cell: ({ splits: own }: (typeof classes)[number]) => String(own[split as keyof typeof own]?.images ?? 0),
      })),
    ],
    classes,
  );
}

function printFindings(findings: readonly Finding[]): void {
  const codes = [...new Set(findings.map(({ code }) => code))];
  for (const code of codes) {
    const own = findings.filter((finding) => finding.code === code);
    printLine(`${own[0]?.severity ?? ""} ${code} (${own.length})`);
    for (const { message } of own.slice(0, MOST_SHOWN)) printLine(`  ${message}`);
    if (own.length > MOST_SHOWN) printLine(`  and ${own.length - MOST_SHOWN} more (--json lists all)`);
  }
}

function printFixed({ out, renumbered, restored, leftOut, copied }: Fixed): void {
  printLine(
    `${out}: ${counted(renumbered.length, "mask")} of 0/255 rewritten as 0/1, ${counted(restored.length, "mask")} stored ` +
      `anew as palette, ${counted(leftOut.length, "image")} left out that stand in another split, ` +
      `${counted(copied, "file")} copied; run svanet data verify ${out}`,
  );
}
