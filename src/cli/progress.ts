import { Presets, SingleBar } from "cli-progress";
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

function bar({ label, total, start = 0, stream = process.stderr }: ProgressOptions): Progress {
  const clock = timeLeft(total, start);
  const display = new SingleBar(
    {
      // The label is a value, not part of the format: braces in it mean nothing.
      format: "{label} {bar} {value}/{total} {figures}{left}",
      stream,
      hideCursor: true,
      clearOnComplete: false,
      fps: 5,
      gracefulExit: false, // commands handle signals themselves: they write a checkpoint first
    },
    Presets.shades_classic,
  );
  display.start(total, start, { label, figures: "", left: "" });
  return {
    update: (done, figures = {}) => display.update(done, { figures: format(figures), left: clock(done) }),
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
    .map(([name, value]) => `${visibleInLine(name)} ${visibleInLine(value)}  `)
    .join("");
}

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
