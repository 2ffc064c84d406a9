import type { Command } from "commander";

/** A command of `svanet`. Its module is loaded only when the command was named. */
interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Whether it opens the GPU, so that the driver has to be made ready first. */
  readonly gpu: boolean;
  readonly load: () => Promise<{ register: Register }>;
}

/** Declares a command's options and what it does; `whole` gives `svanet` with all of its commands. */
type Register = (command: Command, whole: () => Promise<Command>) => void;

/** Every command, in the order of the help. Adding one is a line here and a file in commands/. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "demo",
    summary: "make data, train a small network on it and evaluate it",
    gpu: true,
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "plan",
    summary: "measure a data set and plan its training, with reasons",
    gpu: true,
    load: () => import("./commands/plan.ts"),
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
    summary: "masks and overlays for images and scans of any size",
    gpu: true,
    load: () => import("./commands/predict.ts"),
  },
  {
    name: "features",
    summary: "draw what a network computes inside for an image",
    gpu: true,
    load: () => import("./commands/features.ts"),
  },
  {
    name: "convert",
    summary: "turn weights, ours or others', into files that tools read",
    gpu: false,
    load: () => import("./commands/convert.ts"),
  },
  {
    name: "export",
    summary: "write a page that runs a network in browsers",
    gpu: true,
    load: () => import("./commands/export.ts"),
  },
  {
    name: "serve-page",
    summary: "show such a page on this machine",
    gpu: false,
    load: () => import("./commands/serve-page.ts"),
  },
  {
    name: "weights",
    summary: "list, check and fetch public weights to start from",
    gpu: false,
    load: () => import("./commands/weights.ts"),
  },
  {
    name: "ablate",
    summary: "train and compare the variants of an ablation table",
    gpu: true,
    load: () => import("./commands/ablate.ts"),
  },
  {
    name: "compare",
    summary: "train networks on data sets and compare them, size by size",
    gpu: true,
    load: () => import("./commands/compare.ts"),
  },
  {
    name: "cv",
    summary: "cross-validate: train on all folds but one, score that one",
    gpu: true,
    load: () => import("./commands/cv.ts"),
  },
  {
    name: "report",
    summary: "one page of runs: curves, tables, figures, worst images",
    gpu: true,
    load: () => import("./commands/report.ts"),
  },
  {
    name: "view",
    summary: "that page in a browser, kept up to date while runs train",
    gpu: false,
    load: () => import("./commands/view.ts"),
  },
  {
    name: "run-study",
    summary: "carry out one run of a study, as its launchers do",
    gpu: true,
    load: () => import("./commands/run-study.ts"),
  },
  {
    name: "bench",
    summary: "measure speed, beside what the GPU can do",
    gpu: true,
    load: () => import("./commands/bench.ts"),
  },
  {
    name: "models",
    summary: "parameters, operations and memory of every network",
    gpu: false,
    load: () => import("./commands/models.ts"),
  },
  {
    name: "parity",
    summary: "hold what this machine computes against golden files",
    gpu: true,
    load: () => import("./commands/parity.ts"),
  },
  {
    name: "doctor",
    summary: "which GPU answers, whether it computes right, how fast",
    gpu: true,
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "data",
    summary: "make, check and describe dataset folders",
    gpu: false,
    load: () => import("./commands/data.ts"),
  },
  {
    name: "completion",
    summary: "print what completes commands and options in a shell",
    gpu: false,
    load: () => import("./commands/completion.ts"),
  },
];
