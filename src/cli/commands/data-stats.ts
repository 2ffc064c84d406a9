import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../../errors.ts";
import type { DatasetStats } from "../../experiment/evaluate/data-stats.ts";
import { type PaperData, paperData } from "../../experiment/study/paper.ts";
import { AREA_RULES, type AreaRule } from "../../metrics/objects.ts";
import { COUNT_RULES, type CountRule } from "../../metrics/strata.ts";
import { type Column, note, printJson, printTable } from "../print.ts";
import { createProgress } from "../progress.ts";

interface StatsFlags {
  /** One for all folders, or one for each. */
  readonly count: readonly CountRule[];
  readonly area: AreaRule;
  readonly histogram?: string;
  readonly json?: true;
}

/** What an object is. */
const COUNTED: Readonly<Record<CountRule, string>> = {
  class: "one object an image and class, its largest component",
  component: "every component an object",
};

/** `svanet data stats`: the paper's Table I for dataset folders. */
export function addStats(command: Command): void {
  command
    .command("stats <folders...>")
    .description("count the objects of dataset folders by size: the paper's Table I")
    .addOption(
      new Option(
        "--count <rules>",
        `one object an image and class (its largest component), or every component: ${COUNT_RULES.join(" or ")}, or a rule for each folder, such as class,component`,
      )
        .argParser(countRules)
        .default(["class"], "class"),
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

function countRules(text: string): readonly CountRule[] {
  return text.split(",").map((item) => {
    const rule = COUNT_RULES.find((one) => one === item.trim());
    if (rule !== undefined) return rule;
    throw new InvalidArgumentError(`Expected ${COUNT_RULES.join(" or ")}, one for all folders or one for each.`);
  });
}

/** A row: ours, or the paper's. */
type Row = Pick<DatasetStats, "modality" | "splits" | "areaPercent" | "objects"> & { readonly title: string };

const right = (title: string, cell: (row: Row) => string): Column<Row> => ({ title, align: "right", cell });

/** Percentages of the size of a pixel's share up to 100, with three digits that count. */
const share = (value: number) => value.toFixed(value >= 10 ? 2 : value >= 0.1 ? 3 : 4);

const COLUMNS: readonly Column<Row>[] = [
  { title: "dataset", cell: ({ title }) => title },
  { title: "capture", cell: ({ modality }) => modality ?? "-" },
  right("train", ({ splits }) => String(splits.train ?? "-")),
  right("val", ({ splits }) => String(splits.val ?? "-")),
  right("test", ({ splits }) => String(splits.test ?? "-")),
  right("area %", ({ areaPercent }) => (areaPercent === null ? "-" : areaPercent.map(share).join(" - "))),
  right("ultra-small (< 1 %)", ({ objects }) => String(objects.ultraSmall)),
  right("small (< 10 %)", ({ objects }) => String(objects.small)),
  right("all", ({ objects }) => String(objects.all)),
  right("small of all", ({ objects: { small, all } }) => (all === 0 ? "-" : `${((100 * small) / all).toFixed(1)} %`)),
];

/** The paper's row of Table I as one of ours. */
function paperRow({ dataset, capture, train, test, areaPercent, ultraSmall, small, all }: PaperData): Row {
  const objects = { ultraSmall, small, all };
  return { title: `  paper: ${dataset}`, modality: capture, splits: { train, test }, areaPercent, objects };
}

/** The rule of each folder. UsageError where there are other numbers of them. */
function rulesOf(folders: readonly string[], rules: readonly CountRule[]): CountRule[] {
  const [first = "class"] = rules;
  if (rules.length === 1) return folders.map(() => first);
  if (rules.length === folders.length) return [...rules];
  throw new UsageError(
    `--count ${rules.join(",")}: ${rules.length} rules for ${folders.length} folders; give one for all, or one for each`,
  );
}

async function stats(folders: readonly string[], { count, area, histogram, json }: StatsFlags): Promise<void> {
  const { openDataset } = await import("../../data/dataset/dataset.ts");
  const { datasetStats } = await import("../../experiment/evaluate/data-stats.ts");
  const { requireWritableFile } = await import("../../files/folder.ts");
  if (histogram !== undefined) requireWritableFile(histogram, `--histogram ${histogram}`);
  const counts = rulesOf(folders, count);
  const rows: DatasetStats[] = [];
  for (const [i, folder] of folders.entries()) {
    const dataset = await openDataset(folder);
    const total = Object.values(dataset.splits).reduce((sum, samples) => sum + samples.length, 0);
    const progress = createProgress({ label: `measuring ${dataset.name}`, total });
    try {
      rows.push(
        await datasetStats(dataset, { count: counts[i] ?? "class", area, onProgress: (done) => progress.update(done) }),
      );
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
    printJson(rows.map(({ shares: _shares, ...row }) => ({ ...row, paper: paperData(row.name) ?? null })));
    return;
  }
  const shown = rows.flatMap((row): Row[] => {
    const paper = paperData(row.name);
    return [{ ...row, title: row.name }, ...(paper === undefined ? [] : [paperRow(paper)])];
  });
  printTable(COLUMNS, shown);
  for (const rule of new Set(counts)) {
    const of = counts.every((one) => one === rule)
      ? ""
      : `${folders.filter((_, i) => counts[i] === rule).join(", ")}: `;
    note(`${of}${COUNTED[rule]}`);
  }
  note(`area: ${area === "release" ? "the authors' rule" : "pixels"}, in percent of the image`);
}
