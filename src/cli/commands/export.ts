import type { Command } from "commander";
import { addExportWeb } from "./export-web.ts";

/** `svanet export`: a trained network in a form that needs no svanet to be used. */
export function register(command: Command): void {
  addExportWeb(command);
}
