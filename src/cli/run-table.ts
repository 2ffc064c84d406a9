import { clearScreenDown, moveCursor } from "node:readline";
import type { RunRow, RunsDisplay } from "../experiment/study/launch/progress.ts";
import { type Column, formatTable, note } from "./print.ts";
import { formatDuration } from "./progress.ts";

/** Where and how the rows of a study are shown. */
interface RunTableOptions {
  /** Whether the table is drawn over itself; that of stderr unless given. */
  readonly terminal?: boolean;
  /** Takes a line each time something has changed, where it is not. */
  readonly say?: (line: string) => void;
  /** Where a table is drawn; stderr unless given. */
  readonly stream?: NodeJS.WriteStream;
}

const COLUMNS: readonly Column<RunRow>[] = [
  { title: "run", cell: ({ name }) => name },
  { title: "state", cell: ({ state }) => state },
  { title: "step", align: "right", cell: ({ step, steps }) => `${step}/${steps}` },
  { title: "loss", align: "right", cell: ({ loss }) => (loss === null ? "-" : loss.toFixed(4)) },
  {
    title: "left",
    align: "right",
    cell: ({ secondsLeft, state }) =>
      secondsLeft === null || state === "finished" ? "-" : formatDuration(secondsLeft),
  },
];

/** Seconds between two lines about runs whose state does not change. */
const SAID_EVERY = 60;

/** A table of runs: drawn over itself on a terminal, else a line for each run whose state changes, and one a minute. */
export function runTable(options: RunTableOptions = {}): RunsDisplay {
  return (options.terminal ?? process.stderr.isTTY === true) ? drawn(options) : said(options);
}

/** On a terminal that is lower than the table, runs which are at work come first and the others are counted. */
function drawn({ stream = process.stderr }: RunTableOptions): RunsDisplay {
  let lines = 0;
  return {
    show(rows) {
      const room = Math.max(1, (stream.rows ?? 24) - 4);
      const shown = rows.length <= room ? rows : [...rows].sort((a, b) => rank(a) - rank(b)).slice(0, room);
      const rest = rows.length - shown.length;
      const width = (stream.columns ?? 80) - 1;
      const text = [...formatTable(COLUMNS, shown).split("\n"), ...(rest > 0 ? [`and ${rest} more`] : [])];
      if (lines > 0) moveCursor(stream, 0, -lines);
      clearScreenDown(stream);
      stream.write(`${text.map((line) => line.slice(0, width)).join("\n")}\n`);
      lines = text.length;
    },
    stop() {
      lines = 0;
    },
  };
}

const rank = ({ state, step }: RunRow): number =>
  state === "finished" ? 2 : state === "waiting" || step === 0 ? 1 : 0;

function said({ say = note }: RunTableOptions): RunsDisplay {
  const states = new Map<string, string>();
  let last = performance.now();
  return {
    show(rows) {
      const isDue = performance.now() - last >= 1000 * SAID_EVERY;
      if (isDue) last = performance.now();
      for (const row of rows) {
        const isNew = states.get(row.name) !== row.state;
        states.set(row.name, row.state);
        if (isNew || (isDue && row.secondsLeft !== null && row.state !== "finished")) say(rowText(row));
      }
    },
    stop() {},
  };
}

/** `name: running, step 3/8, loss 0.5000, 12 s left`. */
function rowText({ name, state, step, steps, loss, secondsLeft }: RunRow): string {
  const parts = [`${name}: ${state}`];
  if (step > 0) parts.push(`step ${step}/${steps}`);
  if (loss !== null) parts.push(`loss ${loss.toFixed(4)}`);
  if (secondsLeft !== null && state !== "finished") parts.push(`${formatDuration(secondsLeft)} left`);
  return parts.join(", ");
}
