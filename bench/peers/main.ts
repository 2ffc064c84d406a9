import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { headerLines, headerOf } from "../../src/bench/adapter.ts";
import { wholeNumber } from "../../src/cli/arguments.ts";
import { endingOf } from "../../src/cli/failure.ts";
import { note, noteNow, printJson, printLine } from "../../src/cli/print.ts";
import { UsageError } from "../../src/errors.ts";
import { openDevice } from "../../src/platform/node/open-device.ts";
import { PEERS } from "./adapters/adapter.ts";
import type { Told } from "./child.ts";
import { install, isInstalled } from "./install.ts";
import type { PeerRow } from "./rounds.ts";
import { tableText } from "./table.ts";
import { WORKS, worksLike } from "./works.ts";

interface Flags {
  readonly peer?: readonly string[];
  readonly work: string;
  readonly rounds: number;
  readonly limit: number;
  readonly json?: true;
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
const FLAGS = [...new Set(PEERS.map(({ flag }) => flag))];

const PROGRAM = new Command("bench:peers")
  .description(
    "Times the same work by svanet and by what else there is, in turns, and says how many times faster svanet is.",
  )
  .addOption(new Option("--peer <name...>", "only these (default: all)").choices(FLAGS))
  .option("--work <text>", "only works whose name contains this (default: all)", "")
  .option("--rounds <n>", "rounds of reference kernel, ours and theirs", wholeNumber(1), 9)
  .option("--limit <seconds>", "longest time for one peer; it keeps the rows it has then", wholeNumber(1), 600)
  .option("--json", "print the rows as JSON")
  .exitOverride();

/** Runs one peer in a process of its own; whether all of its works could be timed. */
function timePeer(
  peer: string,
  works: readonly string[],
  { rounds, limit }: Flags,
  onRow: (row: PeerRow) => void,
): Promise<boolean> {
  const child = fork(fileURLToPath(new URL("child.ts", import.meta.url)), [peer, String(rounds), ...works], {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", 2, 2, "ipc"],
    timeout: 1000 * limit,
    // A peer in the middle of a shader's compilation hears no other.
    killSignal: "SIGKILL",
  });
  let isSound = true;
  child.on("message", (told: Told) => {
    if (told.kind === "row") {
      const { work, ratio } = told.row;
      note(`${peer}: ${work}: ${ratio.toFixed(2)}x`);
      onRow(told.row);
      return;
    }
    note(told.text);
    if (told.kind === "refusal") isSound = false;
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      if (code !== 0) note(`${peer} ended with ${endedBy(code, signal, limit)}: it has no rows beyond those above`);
      resolve(isSound);
    });
  });
}

/** Only the limit kills: nothing else here sends that signal. */
const endedBy = (code: number | null, signal: string | null, limit: number): string =>
  signal === "SIGKILL" ? `its limit of ${limit} s (--limit)` : (signal ?? `code ${code}`);

async function run(flags: Flags): Promise<void> {
  const works = worksLike(flags.work).map(({ name }) => name);
  if (works.length === 0)
    throw new UsageError(
      `--work: no work contains "${flags.work}"; there are ${WORKS.map(({ name }) => name).join("; ")}`,
    );
  const peers = PEERS.filter(({ flag }) => flags.peer?.includes(flag) ?? true);
  if (peers.some(({ flag }) => flag !== "torch") && !isInstalled(HERE)) install(HERE);
  const device = await openDevice();
  note(headerLines(headerOf(device.report, `npm run bench:peers -- ${process.argv.slice(2).join(" ")}`.trim())));
  device.close();
  const rows: PeerRow[] = [];
  for (const { peer } of peers) {
    if (!(await timePeer(peer, works, flags, (row) => rows.push(row)))) process.exitCode = 1;
  }
  if (flags.json) printJson(rows);
  else if (rows.length > 0) printLine(tableText(rows));
  if (rows.length > 0) return;
  note("nothing was timed: the lines above say why");
  process.exitCode = 1;
}

try {
  await run(PROGRAM.parse().opts<Flags>());
} catch (error) {
  const { message, exitCode } = endingOf(error, false);
  if (message !== "") noteNow(message);
  process.exitCode = exitCode;
}
