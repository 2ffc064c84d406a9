import { existsSync } from "node:fs";
import { join } from "node:path";

/** One measurement of the day: a command that prints a JSON document, and what it may take. */
export interface Part {
  readonly name: string;
  readonly command: readonly [program: string, ...words: string[]];
  /** Seconds after which it is given up. */
  readonly limit: number;
}

/** Sizes at which a CPU driver is through in seconds: for trying the day out. */
const TINY = ["--size", "64", "--width", "8", "--classes", "2"];

/** What is measured, the most telling first, since time may run out. `root` is where dist and bench are. */
export function partsOf(root: string, tiny: boolean): Part[] {
  const svanet = (name: string, words: readonly string[], limit: number): Part => ({
    name,
    command: [process.execPath, join(root, "dist", "cli", "main.js"), ...words, "--json"],
    limit,
  });
  const model = tiny ? "unet" : "svanet";
  const network = ["--model", model, ...(tiny ? TINY : [])];
  const batch = ["--batch", tiny ? "2" : "4"];
  const runs = ["--runs", tiny ? "2" : "300"];
  const main = [
    svanet("doctor", tiny ? ["doctor", "--list"] : ["doctor"], 60),
    svanet(`fps ${model}`, ["bench", "fps", ...network, ...runs], 60),
    svanet(`train ${model}`, ["bench", "train", ...network, ...batch, "--steps", tiny ? "2" : "20"], 75),
    ...torch(root, tiny),
    svanet("kernels of inference", ["bench", "profile", ...network], 45),
    svanet("kernels of training", ["bench", "profile", "--train", ...network, ...batch], 60),
    svanet("ops", ["bench", "ops", ...(tiny ? ["--filter", "layer norm"] : [])], 75),
  ];
  if (tiny) return main;
  return [
    ...main,
    svanet("fps svanet, f16", ["bench", "fps", ...network, "--precision", "f16", ...runs], 60),
    svanet("fps unet", ["bench", "fps", "--model", "unet", ...runs], 45),
    svanet("host", ["bench", "host"], 30),
  ];
}

/** PyTorch on the same GPU, where the script lies beside. */
function torch(root: string, tiny: boolean): Part[] {
  const script = join(root, "bench", "peers", "torch_svanet.py");
  if (tiny || !existsSync(script)) return [];
  return [{ name: "PyTorch svanet", command: ["python3", script, "--budget", "15"], limit: 90 }];
}
