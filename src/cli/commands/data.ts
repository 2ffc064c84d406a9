import type { Command } from "commander";
import { addPrepare } from "./data-prepare.ts";
import { addStats } from "./data-stats.ts";
import { addSynth } from "./data-synth.ts";
import { addVerify } from "./data-verify.ts";

/** `svanet data`: makes, checks and describes dataset folders. */
export function register(command: Command): void {
  addPrepare(command);
  addVerify(command);
  addStats(command);
  addSynth(command);
}
