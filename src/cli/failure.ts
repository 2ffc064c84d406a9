import { CommanderError } from "commander";
import { SvanetError } from "../errors.ts";
import { reasonOf } from "../files/failure.ts";

/** What a person is told of a failure, and the command's exit code. The one place that decides both. */
export interface Ending {
  /** Empty where it was said already. */
  readonly message: string;
  readonly exitCode: number;
}

/** How a command ends that threw `error`; with `debug` the message is its stack. */
export function endingOf(error: unknown, debug: boolean): Ending {
  if (error instanceof CommanderError) return { message: "", exitCode: error.exitCode === 0 ? 0 : 2 };
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const [sentence, exitCode] = explained(error);
  return { message: debug ? stack : `svanet: ${sentence}`, exitCode };
}

function explained(error: unknown): readonly [sentence: string, exitCode: number] {
  if (error instanceof SvanetError) {
    // A line feed in somebody's file name must not begin a line that reads as one of ours.
    return [error.message.replace(/\n(?! )/g, "\n  "), error.exitCode];
  }
  const reason = reasonOf(error);
  // What the machine refuses is no bug of ours, wherever it is met.
  if (reason !== undefined) return [`${placeOf(error)}${reason}`, 1];
  const message = error instanceof Error ? error.message : String(error);
  return [`${message}\nThis is a bug in svanet. Run the command again with --debug and report it.`, 1];
}

function placeOf(error: unknown): string {
  return error instanceof Error && "path" in error ? `${String(error.path)}: ` : "";
}
