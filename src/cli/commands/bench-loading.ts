import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import { printJson, printTable } from "../print.ts";
import { share } from "../units.ts";
import { headerWithoutWork } from "./bench-frame.ts";

interface LoadingFlags {
  readonly images: number;
  readonly rounds: number;
  readonly json?: true;
}

/** `svanet bench loading`: images a second on their way to the GPU. */
export function addLoading(command: Command): void {
  command
    .command("loading")
    .description("images a second: 512x512 crops from 2048x1536 JPEG with 1 and 2 threads, beside bare decoding")
    .option("--images <n>", "photographs to make", wholeNumber(1), 16)
    .option("--rounds <n>", "times each is read", wholeNumber(1), 3)
    .option("--json", "print the figures as JSON")
    .action(loading);
}

async function loading({ images, rounds, json }: LoadingFlags): Promise<void> {
  const { benchLoading } = await import("../../bench/loading.ts");
  const header = await headerWithoutWork();
  const result = await benchLoading({ images, rounds, workers: [1, 2], batchSize: 4 });
  if (json) {
    printJson({ ...result, header });
    return;
  }
  printTable(
    [
      { title: "what", cell: ({ what }) => what },
      { title: "threads", align: "right", cell: ({ workers }) => (workers === 0 ? "own" : String(workers)) },
      { title: "images", align: "right", cell: ({ images: count }) => String(count) },
      { title: "images/s", align: "right", cell: ({ imagesPerSecond }) => imagesPerSecond.toFixed(1) },
      { title: "of decoding", align: "right", cell: ({ ofDecoding }) => share(ofDecoding) },
    ],
    result.rows,
  );
}
