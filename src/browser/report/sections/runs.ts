import { figure } from "../../../experiment/report/charts/chart.ts";
import type { ReportData, ReportRun } from "../../../experiment/report/data.ts";
import { element } from "../../dom.ts";
import type { Section } from "../section.ts";
import { type PageTable, tableView } from "../table-view.ts";

/** What was run: the runs with the settings that differ, those they share, machines and commands. */
export const runsSection: Section = {
  id: "runs",
  title: "What was run",
  key: ({ data: { runs, settings } }) => [
    runs.map(({ curves: _curves, evaluation: _evaluation, roc: _roc, ...rest }) => rest),
    settings,
  ],
  build: ({ data }) => [
    tableView("runs-table", runsTable(data)),
    folded("Settings that all runs share", () => [tableView("settings-table", commonTable(data))]),
    folded("Commands and machines", () => [tableView("machines-table", machinesTable(data)), ...commands(data)]),
  ],
};

function runsTable({ runs, settings: { differing } }: ReportData): PageTable {
  const titles = ["run", "network", "updates", ...differing.map(({ name }) => name)];
  const done = ({ step, steps }: ReportRun) => (steps === null ? String(step) : `${step} of ${steps}`);
  return {
    title: "Runs",
    caption:
      differing.length === 0
        ? "All settings are alike."
        : "With the settings in which they differ, by their flags of svanet train.",
    columns: titles.map((title) => ({ title, align: title === "updates" || title === "seed" ? "right" : "left" })),
    rows: runs.map((run, i) => {
      const values = differing.map(({ values }) => values[i] ?? "");
      return [run.name, run.group, done(run), ...values].map((text) => ({ text }));
    }),
    notes: [],
  };
}

function commonTable({ settings: { common } }: ReportData): PageTable {
  return {
    title: "Shared settings",
    caption: "By their flags of svanet train; a dash where nothing is set.",
    columns: ["setting", "value"].map((title) => ({ title, align: "left" })),
    rows: common.map(({ name, value }) => [{ text: name }, { text: value }]),
    notes: [],
  };
}

function machinesTable({ runs }: ReportData): PageTable {
  const titles = ["run", "begun (UTC)", "processes", "svanet", "commit", "adapter", "CPU", "system", "Node"];
  return {
    title: "Machines",
    caption: "Of the last process that worked on each run.",
    columns: titles.map((title) => ({ title, align: title === "processes" ? "right" : "left" })),
    rows: runs.map(({ name, environment }) => {
      if (environment === null) return titles.map((_, i) => ({ text: i === 0 ? name : "–" }));
      const { started, sessions, svanet, commit, adapter, cpu, system, node } = environment;
      const begun = started.slice(0, 16).replace("T", " ");
      const texts = [
        name,
        begun,
        figure(sessions, 0),
        svanet,
        commit?.slice(0, 10) ?? "–",
        adapter ?? "–",
        cpu,
        system,
        node,
      ];
      return texts.map((text) => ({ text }));
    }),
    notes: [],
  };
}

/** What repeats each run, and what made it. */
function commands({ runs }: ReportData): HTMLElement[] {
  const made = new Set(runs.flatMap(({ environment }) => environment?.command ?? []));
  return [
    element("p", {}, "Each run is repeated by its own configuration:"),
    code(runs.map(({ repeat }) => repeat)),
    ...(made.size === 0 ? [] : [element("p", {}, "They were made by:"), code([...made])]),
  ];
}

const code = (lines: readonly string[]): HTMLElement =>
  element("pre", { attributes: { tabindex: 0 } }, element("code", {}, lines.join("\n")));

/** Something that is opened when it is wanted. */
function folded(summary: string, content: () => readonly HTMLElement[]): HTMLElement {
  return element("details", {}, element("summary", {}, summary), ...content());
}
