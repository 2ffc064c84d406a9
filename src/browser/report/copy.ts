import { csv } from "../../csv.ts";
import type { ReportCell, ReportTable } from "../../experiment/report/data.ts";

type Table = Pick<ReportTable, "columns" | "rows">;

/** A table as text for other programs, by the name of what takes it. */
export const FORMATS: Readonly<Record<string, (table: Table) => string>> = {
  LaTeX: latex,
  CSV: ({ columns, rows }) =>
    csv([columns.map(({ title }) => title), ...rows.map((row) => row.map(({ text }) => text))]),
  Markdown: markdown,
};

/** A tabular by booktabs; bold as it is shown. */
function latex({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `${cells.join(" & ")} \\\\`;
  const cell = ({ text, bold }: ReportCell) => (bold ? `\\textbf{${texed(text)}}` : texed(text));
  return [
    `\\begin{tabular}{${columns.map(({ align }) => (align === "right" ? "r" : "l")).join("")}}`,
    "\\toprule",
    line(columns.map(({ title }) => texed(title))),
    "\\midrule",
    ...rows.map((row) => line(row.map(cell))),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

/** What TeX reads otherwise than it stands. */
const IN_TEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "$<$",
  ">": "$>$",
  "±": "$\\pm$",
  "†": "$\\dagger$",
  "–": "--",
};

const texed = (text: string): string =>
  text.replaceAll(/[\\~^<>±†–]|[&%$#_{}]/g, (letter) => IN_TEX[letter] ?? `\\${letter}`).replaceAll(/\s+/g, " ");

function markdown({ columns, rows }: Table): string {
  const plain = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\s+/g, " ");
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cell = ({ text, bold }: ReportCell) => (bold ? `**${plain(text)}**` : plain(text));
  return [
    line(columns.map(({ title }) => plain(title))),
    line(columns.map(({ align }) => (align === "right" ? "---:" : "---"))),
    ...rows.map((row) => line(row.map(cell))),
    "",
  ].join("\n");
}
