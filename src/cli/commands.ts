import type { Command } from "commander";

/** A command of `svanet`. Its module is loaded only when the command was named. */
interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Whether it opens the GPU, so that the driver has to be made ready first. */
  readonly gpu: boolean;
  readonly load: () => Promise<{ register(command: Command): void }>;
}

/** Every command, in the order of the help. Adding one is a line here and a file in commands/. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "train",
    summary: "train a network on a dataset folder",
    gpu: true,
    load: () => import("./commands/train.ts"),
  },
  { name: "data", summary: "make dataset folders", gpu: false, load: () => import("./commands/data.ts") },
];
