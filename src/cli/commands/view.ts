import type { Command } from "commander";
import { LiveReport } from "../../experiment/report/live.ts";
import { serveReport } from "../../experiment/report/view-server.ts";
import { portNumber } from "../arguments.ts";
import { note, printLine } from "../print.ts";
import { untilStopped } from "../signals.ts";

/** `svanet view`: the page of `svanet report`, served on this machine and kept up to date while runs train. */
export function register(command: Command): void {
  command
    .argument("<runs...>", "run folders, or folders that ablate, compare or cv have written")
    .option("--port <n>", "port of 127.0.0.1 to serve on", portNumber, 0)
    .action(view);
}

async function view(folders: readonly string[], { port }: { readonly port: number }): Promise<void> {
  const live = await LiveReport.open(folders, note);
  try {
    const server = await serveReport(live, port);
    try {
      for (const sentence of live.data.notes) note(`note: ${sentence}`);
      printLine(server.address);
      note("open this address in a browser of this machine; who has it sees the runs. Ctrl-C ends it");
      await untilStopped();
    } finally {
      await server.close();
    }
  } finally {
    live.close();
  }
}
