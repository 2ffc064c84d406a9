import type { Command } from "commander";
import { collectReport } from "../../experiment/report/collect.ts";
import { renderReport } from "../../experiment/report/render.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { note } from "../print.ts";
import { memory } from "../units.ts";

interface ReportFlags {
  readonly out: string;
  readonly title?: string;
  readonly pictures: boolean;
}

/** `svanet report`: what runs were, learnt and scored, as one page. */
export function register(command: Command): void {
  command
    .argument("<runs...>", "run folders, or folders that ablate, compare, cv or eval --out have written")
    .option("--out <file>", "the page to write", "report.html")
    .option("--title <text>", "its heading (default: the names of the folders)")
    .option("--no-pictures", "leave pictures out, and so the GPU")
    .action(report);
}

async function report(folders: readonly string[], { out, title, pictures }: ReportFlags): Promise<void> {
  const data = await collectReport(folders, { ...(title === undefined ? {} : { title }), thumbnails: pictures });
  const page = await renderReport(data);
  writeFileAtomic(out, page);
  for (const sentence of data.notes) note(`note: ${sentence}`);
  note(`written: ${out} (${data.runs.length} runs, ${memory(Buffer.byteLength(page))})`);
}
