import type { Command } from "commander";
import { serveLoopback } from "../../serve/loopback.ts";
import { folderAnswers } from "../../serve/static-files.ts";
import { portNumber } from "../arguments.ts";
import { note, printLine } from "../print.ts";
import { untilStopped } from "../signals.ts";

/** `svanet serve-page`: shows a page of `svanet export web` on this machine, until Ctrl-C. */
export function register(command: Command): void {
  command
    .argument("<folder>", "page that svanet export web wrote")
    .option("--port <n>", "port of 127.0.0.1 to serve on", portNumber, 0)
    .action(servePage);
}

async function servePage(folder: string, { port }: { readonly port: number }): Promise<void> {
  const server = await serveLoopback(folderAnswers(folder), port);
  try {
    printLine(`${server.address}/`);
    note("open this address in a browser with WebGPU; only this machine reaches it; Ctrl-C ends it");
    await untilStopped();
  } finally {
    await server.close();
  }
}
