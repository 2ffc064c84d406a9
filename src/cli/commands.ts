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
    name: "demo",
    summary: "make data, train a small network on it and evaluate it",
    gpu: true,
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "train",
    summary: "train a network on a dataset folder",
    gpu: true,
    load: () => import("./commands/train.ts"),
  },
  {
    name: "eval",
    summary: "metrics of a checkpoint by object size, class and image",
    gpu: true,
    load: () => import("./commands/eval.ts"),
  },
  {
    name: "predict",
    summary: "masks and overlays for images of any size",
    gpu: true,
    load: () => import("./commands/predict.ts"),
  },
  {
    name: "convert",
    summary: "weights, from here or elsewhere: safetensors, checkpoint, ONNX",
    gpu: false,
    load: () => import("./commands/convert.ts"),
  },
  {
    name: "ablate",
    summary: "train and compare the variants of an ablation table",
    gpu: true,
    load: () => import("./commands/ablate.ts"),
  },
  {
    name: "bench",
    summary: "measured figures beside what the adapter can do",
    gpu: true,
    load: () => import("./commands/bench.ts"),
  },
  {
    name: "models",
    summary: "what each network costs, without a GPU",
    gpu: false,
    load: () => import("./commands/models.ts"),
  },
  {
    name: "parity",
    summary: "check golden files of numbers",
    gpu: true,
    load: () => import("./commands/parity.ts"),
  },
  {
    name: "doctor",
    summary: "what GPU answers, and whether it computes right",
    gpu: true,
    load: () => import("./commands/doctor.ts"),
  },
  { name: "data", summary: "make dataset folders", gpu: false, load: () => import("./commands/data.ts") },
];
