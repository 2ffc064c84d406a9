import { dirname, join, parse } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import { writeCharts } from "../../experiment/report/chart-files.ts";
import { collectReport, type ReportOptions } from "../../experiment/report/collect.ts";
import { renderReport } from "../../experiment/report/render.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { requireWritableFolder } from "../../files/folder.ts";
import { adapterOption } from "../options.ts";
import { note } from "../print.ts";
import { withDevice } from "../session.ts";
import { memory } from "../units.ts";

interface ReportFlags {
  readonly out: string;
  readonly title?: string;
  readonly images?: readonly string[];
  readonly pictures: boolean;
  readonly files: boolean;
  readonly adapter?: string;
}

/** `svanet report`: what runs were, learnt and scored, as one page and its charts as files. */
export function register(command: Command): void {
  command
    .argument("<runs...>", "run folders, or folders that ablate, compare, cv or eval --out have written")
    .option("--out <file>", "the page to write; its charts lie in <name>-files beside it", "report.html")
    .option("--title <text>", "its heading (default: the names of the folders)")
    .option("--images <names>", "images that every network is shown with (default: by their scores)", namesIn)
    .option("--no-pictures", "leave pictures of images out: needs neither the GPU nor the data")
    .option("--no-files", "leave the charts' SVG and PNG files out")
    .addOption(adapterOption())
    .action(report);
}

const namesIn = (text: string): string[] => text.split(",").map((name) => name.trim());

async function report(folders: readonly string[], flags: ReportFlags): Promise<void> {
  const { out, title, images, pictures, files } = flags;
  if (images !== undefined && !pictures)
    throw new UsageError("--images: --no-pictures leaves them out; give one of the two");
  requireWritableFolder(dirname(out), `--out ${out}`);
  const options = { ...(title === undefined ? {} : { title }), ...(images === undefined ? {} : { images }) };
  const collect = (more: ReportOptions) => collectReport(folders, { ...options, ...more });
  const data = pictures
    ? await withDevice(flags.adapter ?? null, "f32", (device) => collect({ thumbnails: true, device }))
    : await collect({});
  const page = await renderReport(data);
  writeFileAtomic(out, page);
  const { dir, name } = parse(out);
  const beside = join(dir, `${name}-files`);
  const charts = files ? await writeCharts(beside, data) : [];
  for (const sentence of data.notes) note(`note: ${sentence}`);
  const count = `${data.runs.length} ${data.runs.length === 1 ? "run" : "runs"}`;
  note(`written: ${out} (${count}, ${memory(Buffer.byteLength(page))})`);
  if (charts.length > 0) note(`written: ${beside} (${charts.length} charts, each as .svg and .png)`);
}
