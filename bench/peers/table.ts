import { type Column, formatTable } from "../../src/cli/print.ts";
import { milliseconds } from "../../src/cli/units.ts";
import { PEERS } from "./adapters/adapter.ts";
import { type PeerRow, REFERENCE_FLOPS } from "./rounds.ts";
import { WORKS } from "./works.ts";

interface Line {
  readonly work: string;
  readonly flops: number;
  readonly rows: readonly PeerRow[];
}

const right = (title: string, cell: (line: Line) => string): Column<Line> => ({ title, align: "right", cell });

const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Rate over that of the reference kernel, for works that are counted in operations. */
function overReference({ flops, rows }: Line): string {
  if (flops === 0) return "";
  const reference = (row: PeerRow) => REFERENCE_FLOPS / row.refGflops / 1e6;
  return middle(rows.map((row) => (flops / row.ours) * (reference(row) / REFERENCE_FLOPS))).toFixed(2);
}

/** A line a work: our time, our rate over the reference kernel's, and how many times faster we are than each peer. */
export function tableText(rows: readonly PeerRow[]): string {
  const lines = WORKS.map(
    ({ name, flops }): Line => ({ work: name, flops, rows: rows.filter(({ work }) => work === name) }),
  );
  const peers = PEERS.filter(({ peer }) => rows.some((row) => row.peer === peer));
  const columns: Column<Line>[] = [
    { title: "work", cell: ({ work }) => work },
    right("ours, ms", (line) => milliseconds(middle(line.rows.map(({ ours }) => ours)))),
    right("over reference", overReference),
    ...peers.map(({ peer }) => {
      const find = (line: Line) => line.rows.find((row) => row.peer === peer);
      return right(peer, (line) => {
        const row = find(line);
        return row ? `${row.ratio.toFixed(2)}x` : "-";
      });
    }),
  ];
  const kept = rows.reduce((sum, row) => sum + row.kept, 0);
  const all = rows.reduce((sum, row) => sum + row.rounds, 0);
  const rates = rows.map(({ refGflops }) => refGflops);
  const shown = lines.filter((line) => line.rows.length > 0);
  return [
    formatTable(columns, shown),
    `ratio: how many times faster svanet is; ${kept} of ${all} rounds count, the reference kernel ran at ` +
      `${Math.min(...rates).toFixed(1)} to ${Math.max(...rates).toFixed(1)} GFLOP/s`,
  ].join("\n");
}
