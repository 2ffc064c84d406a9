import { codeOf, reasonOf } from "../files/failure.ts";
import { noteNow } from "./print.ts";

/** Nobody reads any more: `| head` has its lines, `tee` died, the terminal was closed. */
const NOBODY_READS = new Set(["EPIPE", "EIO", "ENXIO", "ECONNRESET"]);

/**
 * Lets a command outlive whoever reads what it prints. Work goes on, for its results lie in files: a training run must
 * not die because a log's reader did. But results that were printed into a file which takes no more (a full disk) are no
 * success, whatever the command says of itself.
 */
export function surviveReaders(): void {
  let lost: string | undefined;
  process.stdout.on("error", (error) => {
    if (!NOBODY_READS.has(codeOf(error) ?? "")) lost ??= reasonOf(error) ?? error.message;
  });
  process.stderr.on("error", () => undefined); // where notes cannot be written, nothing can be said about it
  process.on("exit", () => {
    if (lost === undefined || process.exitCode) return;
    noteNow(`svanet: stdout: cannot be written: ${lost}`);
    process.exitCode = 1;
  });
}
