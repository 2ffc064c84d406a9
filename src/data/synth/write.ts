import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { UsageError } from "../../errors.ts";
import { writeFolder } from "../../files/new-folder.ts";
import type { Rgb } from "../codec/png-read.ts";
import { SPLIT_NAMES, type SplitName } from "../dataset/dataset.ts";
import { writePng } from "../decode.ts";
import type { BytePair } from "../image/augment.ts";
import type { Stratum } from "./stratum.ts";

/** One kind of pictures and how its dataset describes itself. */
export interface SynthKind {
  /** The word on the command line. */
  readonly kind: string;
  readonly summary: string;
  readonly name: string;
  /** Background first. */
  readonly classes: readonly string[];
  readonly colours: readonly Rgb[];
  readonly modality: string;
  /** Smallest, largest and default side of a picture in pixels. */
  readonly sizes: { readonly least: number; readonly most: number; readonly usual: number };
  /** Picture `index` of `seed`, square; without a stratum the kind's usual mixture. */
  readonly picture: (seed: number, index: number, side: number, stratum?: Stratum) => BytePair;
}

export interface SynthOptions {
  /** Folder to write; it may exist, but only empty. */
  readonly out: string;
  /** Pictures in train/, val/ and test/ (none without it). */
  readonly train: number;
  readonly val: number;
  readonly test?: number;
  /** Side in pixels. */
  readonly size: number;
  readonly seed: number;
  readonly stratum?: Stratum;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Pictures of each split are numbered from here: they stay the same however many stand in the others. */
const FIRST_NUMBERS: Record<SplitName, number> = { train: 0, val: 1_000_000, test: 2_000_000 };
const MOST_IN_SPLIT = 1_000_000;

function checkOptions({ kind, sizes }: SynthKind, { train, val, test = 0, size }: SynthOptions): void {
  const { least, most } = sizes;
  if (!Number.isInteger(size) || size < least || size > most) {
    throw new UsageError(`${kind}: size ${size} is no whole number from ${least} to ${most}`);
  }
  const fits = (count: number, fewest: number) => Number.isInteger(count) && count >= fewest && count <= MOST_IN_SPLIT;
  if (!fits(train, 1) || !fits(val, 1)) {
    throw new UsageError(
      `${kind}: ${train} training and ${val} validation pictures; each split needs 1 to ${MOST_IN_SPLIT}`,
    );
  }
  if (!fits(test, 0))
    throw new UsageError(`${kind}: ${test} test pictures; a whole number from 0 to ${MOST_IN_SPLIT} is`);
}

/**
 * Writes a dataset folder of procedural pictures (exact truth, free of any licence, every picture a function of seed
 * and index): train/, val/, perhaps test/, mask/, dataset.yaml. Throws UsageError for sizes and counts that make no
 * dataset, DataError where `out` is a folder with content. Nothing appears under `out` before everything is written.
 */
export async function writeSynth(kind: SynthKind, options: SynthOptions): Promise<void> {
  checkOptions(kind, options);
  const { out, train, val, test = 0, size, seed, stratum, onProgress } = options;
  const { name, classes, colours, modality } = kind;
  const counts: Record<SplitName, number> = { train, val, test };
  const total = train + val + test;
  await writeFolder(out, async (partial) => {
    const description = { name, classes, colours, modality, licence: "CC0-1.0" };
    await mkdir(join(partial, "mask"));
    await writeFile(join(partial, "dataset.yaml"), stringify(description));
    let done = 0;
    for (const split of SPLIT_NAMES.filter((one) => counts[one] > 0)) {
      await mkdir(join(partial, split));
      for (let number = 0; number < counts[split]; number++) {
        const { image, mask } = kind.picture(seed, FIRST_NUMBERS[split] + number, size, stratum);
        const file = `${split}-${String(number).padStart(4, "0")}.png`;
        await writePng(join(partial, split, file), image);
        await writePng(join(partial, "mask", file), mask, colours);
        onProgress?.(++done, total);
      }
    }
  });
}
