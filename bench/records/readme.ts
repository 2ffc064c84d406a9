/** `npm run bench:readme`: writes bench/README.md from introduction.md and the records. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type BenchRecord, readRecords } from "./record.ts";

type Column = BenchRecord["columns"][number];
type Cell = BenchRecord["rows"][number][string];

const README = fileURLToPath(new URL("../README.md", import.meta.url));

/** The page as it should be. */
export function readmeText(): string {
  const introduction = readFileSync(new URL("introduction.md", import.meta.url), "utf8").trim();
  const sections = new Map<string, string[]>();
  for (const record of readRecords().values()) {
    const place = placeOf(record);
    sections.set(place, [...(sections.get(place) ?? []), recordText(record)]);
  }
  const pages = [...sections].map(([place, tables]) => `## ${place}\n\n${tables.join("\n\n")}`);
  return `${[introduction, ...pages].join("\n\n")}\n`;
}

const placeOf = ({ adapter, driver, machine, date }: BenchRecord): string =>
  `${adapter} (${driver}), ${machine}, ${date}`;

function recordText({ title, kind, command, load, columns, rows, note }: BenchRecord): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cells = rows.map((row) => columns.map((column) => cellText(row[column.key] ?? null, column)));
  const numeric = (i: number) => rows.every((row) => typeof row[columns[i]?.key ?? ""] !== "string");
  return [
    `**${title}**${kind === "predicted" ? ", predicted by a model and not measured" : ""}: \`${command}\`${load === null ? "" : ` (${load})`}`,
    "",
    line(columns.map(({ title: head }) => head)),
    line(columns.map((_, i) => (numeric(i) ? "---:" : "---"))),
    ...cells.map(line),
    ...(note === null ? [] : ["", note]),
  ].join("\n");
}

function cellText(cell: Cell, { format }: Column): string {
  if (cell === null) return "";
  if (typeof cell === "string") return cell;
  switch (format) {
    case "three":
      return Number(cell.toPrecision(3)) >= 100 ? String(Math.round(cell)) : cell.toPrecision(3);
    case "two":
      return cell.toFixed(2);
    case "rate":
      return cell.toFixed(cell < 10 ? 2 : 1);
    case "share":
      return `${Math.round(100 * cell)} %`;
    default:
      return String(cell);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(README, readmeText());
