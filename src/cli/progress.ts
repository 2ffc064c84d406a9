import { SingleBar } from "cli-progress";
import { visibleInLine } from "../visible.ts";
import { note } from "./print.ts";

/** A running display of work done. */
export interface Progress {
  /** `done` of `total`; `figures` are shown beside it, in their order. */
  update(done: number, figures?: Readonly<Record<string, string>>): void;
  /** Ends the display. Call it before printing anything else. */
  stop(): void;
}

/** What is counted, and how often a display that is no terminal gets a line. */
interface ProgressOptions {
  readonly label: string;
  readonly total: number;
  /** Work that was done before this process, for a resumed run: the time left is judged by the rest. */
  readonly start?: number;
  readonly everySeconds?: number;
  readonly terminal?: boolean;
  /** Where a bar is drawn; stderr unless given. */
  readonly stream?: NodeJS.WritableStream;
}

/** A bar on a terminal, a plain line every few seconds in a log file. Both go to stderr. */
export function createProgress(options: ProgressOptions): Progress {
  const terminal = options.terminal ?? process.stderr.isTTY === true;
  const shown = { ...options, label: visibleInLine(options.label) };
  return terminal ? bar(shown) : lines(shown);
}

/** Columns of a bar that is drawn whole, and of one that is worth drawing. */
const [WHOLE_BAR, LEAST_BAR] = [40, 8];
/** The figure that gives way last. */
const SPEED = "images/s";

interface Line {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly figures: Readonly<Record<string, string>>;
  /** Time left as text; empty where it is not known. */
  readonly left: string;
}

/**
 * The line of a bar in at most `columns` characters. Where room is short the bar shrinks and goes, then figures go from the
 * last to the first, `images/s` behind them, then the label is cut; counts and time left stay.
 */
export function progressLine({ label, done, total, figures, left }: Line, columns: number): string {
  const count = `${done}/${total}`;
  const names = Object.keys(figures);
  const order = [...names.filter((name) => name === SPEED), ...names.filter((name) => name !== SPEED)];
  for (let kept = order.length; kept >= 0; kept--) {
    const shown = names.filter((name) => order.indexOf(name) < kept);
    const parts = [count, ...shown.map((name) => figure(name, figures[name] ?? "")), ...(left === "" ? [] : [left])];
    const rest = parts.join("  ");
    const room = columns - label.length - rest.length - 2;
    if (room < -1) continue;
    const size = kept === order.length ? Math.min(WHOLE_BAR, room) : 0;
    return size < LEAST_BAR ? `${label} ${rest}` : `${label} ${drawnBar(total === 0 ? 1 : done / total, size)} ${rest}`;
  }
  const ending = [count, ...(left === "" ? [] : [left])].join("  ");
  return `${label.slice(0, Math.max(0, columns - ending.length - 1))} ${ending}`.trimStart().slice(0, columns);
}

function drawnBar(share: number, size: number): string {
  const full = Math.round(Math.min(1, share) * size);
  return "\u2588".repeat(full) + "\u2591".repeat(size - full);
}

function bar({ label, total, start = 0, stream = process.stderr }: ProgressOptions): Progress {
  const clock = timeLeft(total, start);
  const shown: Pick<Line, "figures" | "left"> = { figures: {}, left: "" };
  const display = new SingleBar({
    format: (_options, { value, total: all, maxWidth }, payload: typeof shown) =>
      progressLine({ label, done: value, total: all, ...payload }, maxWidth - 1), // the last column makes some wrap
    stream,
    hideCursor: true,
    clearOnComplete: false,
    fps: 5,
    gracefulExit: false, // commands handle signals themselves: they write a checkpoint first
  });
  display.start(total, start, shown);
  return {
    update: (done, figures = {}) => display.update(done, { figures, left: clock(done) }),
    stop: () => display.stop(),
  };
}

function lines({ label, total, start = 0, everySeconds = 10 }: ProgressOptions): Progress {
  const clock = timeLeft(total, start);
  let last = performance.now();
  return {
    update(done, figures = {}) {
      const now = performance.now();
      if (now - last < everySeconds * 1000 && done < total) return;
      last = now;
      note(`${label} ${done}/${total} ${format(figures)}${clock(done)}`.trimEnd());
    },
    stop() {},
  };
}

function format(figures: Readonly<Record<string, string>>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${figure(name, value)}  `)
    .join("");
}

const figure = (name: string, value: string): string => `${visibleInLine(name)} ${visibleInLine(value)}`;

/** Time left at the average pace since the start, as text. */
function timeLeft(total: number, start: number): (done: number) => string {
  const began = performance.now();
  return (done) => {
    if (done <= start || done >= total) return "";
    const seconds = ((performance.now() - began) / 1000 / (done - start)) * (total - done);
    return `${formatDuration(seconds)} left`;
  };
}

/** `45 s`, `3:07 min`, `2:05 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))} h`;
}
