import { spawn } from "node:child_process";
import type { Part } from "./parts.ts";

/** What became of a part. */
export interface Outcome {
  readonly name: string;
  readonly command: string;
  readonly seconds: number;
  /** Why there is no result; null where there is one. */
  readonly failure: string | null;
  /** The document that the command printed. */
  readonly result: unknown;
}

/** Bytes of stderr whose end is kept: a command's last words say why it failed. */
const LAST_WORDS = 2000;

/**
 * Runs parts one after the other, each within its own limit and all within `budget` seconds. A part that fails, hangs or prints no
 * document is an outcome like any other. `onOutcome` sees each at once, so that nothing is lost if the machine goes away.
 */
export async function runParts(
  parts: readonly Part[],
  budget: number,
  onOutcome: (outcome: Outcome, all: readonly Outcome[]) => void,
): Promise<Outcome[]> {
  const end = performance.now() + 1000 * budget;
  const outcomes: Outcome[] = [];
  for (const part of parts) {
    const left = (end - performance.now()) / 1000;
    const outcome = left < 1 ? notRun(part, budget) : await runPart(part, Math.min(part.limit, left));
    outcomes.push(outcome);
    onOutcome(outcome, outcomes);
  }
  return outcomes;
}

const commandText = ({ command }: Part): string => command.join(" ");

function notRun(part: Part, budget: number): Outcome {
  const failure = `not run: the ${budget} s of the day were over`;
  return { name: part.name, command: commandText(part), seconds: 0, failure, result: null };
}

function runPart(part: Part, limit: number): Promise<Outcome> {
  const started = performance.now();
  const [program, ...words] = part.command;
  // A group of its own: what hangs is ended with all that it started.
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let [out, err] = ["", ""];
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, 1000 * limit);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err = (err + text).slice(-LAST_WORDS);
  });
  return new Promise((resolve) => {
    const settle = (ending: string | null) => {
      clearTimeout(timer);
      const why = late ? `stopped after ${limit.toFixed(0)} s` : ending;
      const { failure, result } = documentOf(out, why === null ? null : `${why}${lastLine(err)}`);
      const seconds = (performance.now() - started) / 1000;
      resolve({ name: part.name, command: commandText(part), seconds, failure, result });
    };
    child.on("error", (error) => settle(error.message));
    child.on("close", (code, signal) => settle(code === 0 ? null : `ended by ${signal ?? `exit code ${code}`}`));
  });
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return line === "" ? "" : `: ${line}`;
}

/** The document printed; kept beside a failure too, since a command may print one and still complain. */
function documentOf(out: string, failure: string | null): Pick<Outcome, "failure" | "result"> {
  try {
    return { failure, result: JSON.parse(out) as unknown };
  } catch {
    return { failure: failure ?? "printed no JSON document", result: null };
  }
}
