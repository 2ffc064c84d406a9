import { type Command, Option } from "commander";
import type { DatasetStats } from "../../experiment/evaluate/data-stats.ts";
import { AREA_RULES, type AreaRule } from "../../metrics/objects.ts";
import { COUNT_RULES, type CountRule } from "../../metrics/strata.ts";
import { type Column, note, printJson, printTable } from "../print.ts";
import { createProgress } from "../progress.ts";

interface StatsFlags {
  readonly count: CountRule;
  readonly area: AreaRule;
  readonly histogram?: string;
  readonly json?: true;
}

/** `svanet data stats`: the paper's Table I for dataset folders. */
export function addStats(command: Command): void {
  command
    .command("stats <folders...>")
    .description("count the objects of dataset folders by size: the paper's Table I")
    .addOption(
      new Option("--count <rule>", "one object an image and class (its largest component), or every component")
        .choices(COUNT_RULES)
        .default("class"),
    )
    .addOption(
      new Option("--area <rule>", "the authors' area (closing, outline) or the number of pixels")
        .choices(AREA_RULES)
        .default("release"),
    )
    .option("--histogram <file>", "file to draw the sizes into, as SVG")
    .option("--json", "print the rows as JSON")
    .action(stats);
}

const right = (title: string, cell: (row: DatasetStats) => string): Column<DatasetStats> => ({
  title,
  align: "right",
  cell,
});

/** Percentages of the size of a pixel's share up to 100, with three digits that count. */
const share = (value: number) => value.toFixed(value >= 10 ? 2 : value >= 0.1 ? 3 : 4);

const COLUMNS: readonly Column<DatasetStats>[] = [
  { title: "dataset", cell: ({ name }) => name },
  right("train", ({ splits }) => String(splits.train ?? "-")),
  right("val", ({ splits }) => String(splits.val ?? "-")),
  right("test", ({ splits }) => String(splits.test ?? "-")),
  right("area %", ({ areaPercent }) => (areaPercent === null ? "-" : areaPercent.map(share).join(" - "))),
  right("ultra-small (< 1 %)", ({ objects }) => String(objects.ultraSmall)),
  right("small (< 10 %)", ({ objects }) => String(objects.small)),
  right("all", ({ objects }) => String(objects.all)),
];

async function stats(folders: readonly string[], { count, area, histogram, json }: StatsFlags): Promise<void> {
  const { openDataset } = await import("../../data/dataset/dataset.ts");
  const { datasetStats } = await import("../../experiment/evaluate/data-stats.ts");
  const { requireWritableFile } = await import("../../files/folder.ts");
  if (histogram !== undefined) requireWritableFile(histogram, `--histogram ${histogram}`);
  const rows: DatasetStats[] = [];
  for (const folder of folders) {
    const dataset = await openDataset(folder);
    const total = Object.values(dataset.splits).reduce((sum, samples) => sum + samples.length, 0);
    const progress = createProgress({ label: `measuring ${dataset.name}`, total });
    try {
      rows.push(await datasetStats(dataset, { count, area, onProgress: (done) => progress.update(done) }));
    } finally {
      progress.stop();
    }
  }
  if (histogram !== undefined) {
    const { sizeHistogram } = await import("../../experiment/evaluate/size-histogram.ts");
    const { writeFileAtomic } = await import("../../files/atomic.ts");
    writeFileAtomic(histogram, sizeHistogram(rows));
    note(`sizes drawn in ${histogram}`);
  }
  if (json) {
    printJson(rows.map(({ shares: _shares, ...row }) => row));
    return;
  }
  printTable(COLUMNS, rows);
  const what = count === "class" ? "one object an image and class, its largest component" : "every component an object";
  note(`${what}; area: ${area === "release" ? "the authors' rule" : "pixels"}, in percent of the image`);
}
