import { type Command, Option } from "commander";
import { SYNTH_KINDS, synthKind } from "../../data/synth/kinds.ts";
import { STRATA, type Stratum } from "../../data/synth/stratum.ts";
import { wholeNumber } from "../arguments.ts";
import { note, printJson, printLine } from "../print.ts";
import { createProgress } from "../progress.ts";

interface SynthFlags {
  readonly out: string;
  readonly train: number;
  readonly val: number;
  readonly test: number;
  readonly size?: number;
  readonly seed: number;
  readonly stratum?: Stratum;
  readonly json?: true;
}

/** `svanet data synth`: dataset folders of procedural pictures. */
export function addSynth(command: Command): void {
  command
    .command("synth")
    .description("make a dataset folder of drawn pictures, whose masks are exact: to try things out without data")
    .argument("<kind>", `what they show: ${SYNTH_KINDS.map(({ kind, summary }) => `${kind} (${summary})`).join("; ")}`)
    .requiredOption("--out <folder>", "dataset folder to write")
    .option("--train <n>", "training pictures", wholeNumber(0), 64)
    .option("--val <n>", "validation pictures", wholeNumber(0), 24)
    .option("--test <n>", "test pictures", wholeNumber(0), 0)
    .option("--size <n>", `side of a picture in pixels (default: ${usualSizes()})`, wholeNumber(1))
    .option("--seed <n>", "decides every picture", wholeNumber(0), 0)
    .addOption(
      new Option(
        "--stratum <name>",
        "size of the largest object: below 1 % of the picture, 1 to 10 %, from 10 %, or each as often (default: mixed; " +
          "cells: the usual view, most below 1 %)",
      ).choices(STRATA),
    )
    .option("--json", "print what was written as JSON")
    .action(synth);
}

/** `cells 128, sperm 256, ..`: the side of a picture that nobody asked for another of. */
const usualSizes = () => SYNTH_KINDS.map(({ kind, sizes }) => `${kind} ${sizes.usual}`).join(", ");

async function synth(name: string, flags: SynthFlags): Promise<void> {
  const { writeSynth } = await import("../../data/synth/write.ts");
  const kind = synthKind(name);
  const { out, train, val, test, seed, stratum, size = kind.sizes.usual } = flags;
  const progress = createProgress({ label: "pictures", total: train + val + test });
  try {
    const onProgress = (done: number) => progress.update(done);
    await writeSynth(kind, { out, train, val, test, size, seed, onProgress, ...(stratum ? { stratum } : {}) });
  } finally {
    progress.stop();
  }
  if (flags.json) printJson({ kind: name, out, train, val, test, size, seed, stratum: stratum ?? null });
  else printLine(out);
  const tested = test > 0 ? `, ${test} test` : "";
  note(`${train} training, ${val} validation${tested} pictures of ${size}x${size} with masks and dataset.yaml`);
}
