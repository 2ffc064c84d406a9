import { evaluatedRuns } from "../../../experiment/report/charts/groups.ts";
import { scoresTable } from "../../../experiment/report/charts/scores.ts";
import type { Section } from "../section.ts";
import { notScored } from "../section.ts";
import { tableView } from "../table-view.ts";

/** The scores of all networks, and the tables of studies as they were printed. */
export const tablesSection: Section = {
  id: "tables",
  title: "Tables",
  key: ({ data, set }) => [data.tables, set, data.runs.map(({ group, evaluation }) => [group, evaluation?.strata])],
  build: ({ data, set }) => {
    const own = set === undefined ? undefined : scoresTable(evaluatedRuns(data, set));
    const tables = data.tables.map((table, i) => tableView(`study-table-${i}`, table));
    if (own === undefined) return tables.length === 0 ? [notScored()] : tables;
    return [tableView("scores-table", own), ...tables];
  },
};
