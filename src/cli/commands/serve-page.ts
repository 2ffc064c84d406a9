import type { Command } from "commander";
import { serveLoopback } from "../../files/loopback.ts";
import { folderAnswers } from "../../files/static-files.ts";
import { wholeNumber } from "../arguments.ts";
import { note, printLine } from "../print.ts";

/** `svanet serve-page`: shows a page of `svanet export web` on this machine, until Ctrl-C. */
export function register(command: Command): void {
  command
    .argument("<folder>", "page that svanet export web wrote")
    .option("--port <n>", "port to listen on (default: any free one)", wholeNumber(0), 0)
    .action(servePage);
}

async function servePage(folder: string, { port }: { readonly port: number }): Promise<void> {
  const server = await serveLoopback(port, folderAnswers(folder));
  printLine(server.address);
  note("open this address in a browser with WebGPU; only this machine reaches it; Ctrl-C ends");
  await new Promise<void>((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done());
  });
  await server.close();
}
