import { copyFile, mkdir, readdir } from "node:fs/promises";
import { dirname, isAbsolute, join, parse, relative, resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { writeFolder } from "../../files/new-folder.ts";
import type { Rgb } from "../codec/png-read.ts";
import { readMask, writePng } from "../decode.ts";
import { INSTANCE_FOLDER } from "../masks/instances.ts";
import { defaultColours } from "./check-dataset.ts";
import { type Dataset, SPLIT_NAMES, type SplitName } from "./dataset.ts";
import { equalImages } from "./duplicates.ts";
import type { Verification } from "./verify.ts";

export interface Fixed {
  readonly out: string;
  /** Masks of 0 and 255 written with 0 and 1. */
  readonly renumbered: readonly string[];
  /** Masks stored as colour, with alpha or with 16 bits, written as 8-bit palette images of the same values. */
  readonly restored: readonly string[];
  /** Images left out because an equal one stands in a split that measures, and that one. */
  readonly leftOut: readonly { readonly image: string; readonly equalTo: string }[];
  /** Files copied byte for byte. */
  readonly copied: number;
}

interface Corrections {
  readonly renumbered: ReadonlySet<string>;
  readonly restored: ReadonlySet<string>;
  readonly leftOut: ReadonlyMap<string, string>;
  /** Masks nobody asks for once the images above are left out. */
  readonly orphaned: ReadonlySet<string>;
}

/** The split that keeps a picture standing in several: the one nobody may have seen before. */
const KEEPERS: readonly SplitName[] = ["test", "val", "train"];

function leftOutOf({ survey }: Verification): Map<string, string> {
  const out = new Map<string, string>();
  for (const group of equalImages(survey.splits)) {
    const keeper = KEEPERS.find((split) => group.some((one) => one.split === split));
    const kept = group.find(({ split }) => split === keeper);
    for (const { split, sample } of group) {
      if (split === keeper) continue;
      for (const file of [sample.image, ...(sample.further ?? [])]) out.set(file, kept?.sample.image ?? "");
    }
  }
  return out;
}

/** Masks of splits that know only 0 and 255, where the dataset has one class beside the background. */
function renumberedIn(dataset: Dataset, { findings, classes, survey }: Verification): string[] {
  const named = dataset.yaml.classes?.length ?? 2;
  if (named !== 2 || classes.length > 2) return [];
  const folders = new Set(
    findings.filter(({ code, severity }) => code === "mask-0-255" && severity === "error").map(({ file }) => file),
  );
  return survey.splits
    .filter(({ split }) => folders.has(join(dataset.folder, split)))
    .flatMap(({ samples }) => samples.filter(({ maskFacts }) => maskFacts.labels.some(([label]) => label === 255)))
    .map(({ mask }) => mask);
}

function correctionsFor(dataset: Dataset, verification: Verification): Corrections {
  const leftOut = leftOutOf(verification);
  const kept = new Set(
    SPLIT_NAMES.flatMap((split) => dataset.splits[split] ?? []).flatMap(({ image, mask }) =>
      leftOut.has(image) ? [] : mask,
    ),
  );
  const orphans = verification.survey.splits.flatMap(({ samples }) => samples.map(({ mask }) => mask));
  const coloured = verification.findings.filter(({ code }) => code === "mask-in-colour").map(({ file }) => file);
  return {
    renumbered: new Set(renumberedIn(dataset, verification).filter((mask) => kept.has(mask))),
    restored: new Set(coloured.filter((mask) => kept.has(mask))),
    leftOut,
    orphaned: new Set(orphans.filter((mask) => !kept.has(mask))),
  };
}

async function writeMask(from: string, to: string, renumber: boolean, colours: readonly Rgb[]): Promise<void> {
  const mask = await readMask(from);
  const data = renumber ? mask.data.map((value) => (value === 255 ? 1 : value)) : mask.data;
  const palette = Array.from({ length: 256 }, (_, label): Rgb => colours[label] ?? [255, 255, 255]);
  await writePng(to, { ...mask, data }, palette);
}

/** Files of a dataset folder with their place in it: its splits, its masks and what lies beside them. */
async function filesOf(folder: string): Promise<string[]> {
  const top = await readdir(folder, { withFileTypes: true });
  const names = top.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const inner of [...SPLIT_NAMES, "mask", INSTANCE_FOLDER]) {
    const entries = await readdir(join(folder, inner), { withFileTypes: true }).catch(() => []);
    names.push(...entries.filter((entry) => entry.isFile()).map(({ name }) => join(inner, name)));
  }
  return names;
}

/** The folder of objects, where a dataset has one. */
const instanceFolder = (names: readonly string[]) =>
  names.some((name) => dirname(name) === INSTANCE_FOLDER) ? [INSTANCE_FOLDER] : [];

/**
 * Copies a verified dataset to the new folder `out` with those things put right that cannot lose or change what it
 * means: masks of 0 and 255 of a set with one class beside the background become 0 and 1; masks stored as colour, with
 * alpha or 16 bits become 8-bit palette images of the same values; of pictures standing in several splits the copy in
 * test, else in val, stays. All else stays as it is, including what is wrong. Throws DataError where `out` holds
 * something, or lies inside the dataset.
 */
export async function fixDataset(dataset: Dataset, verification: Verification, out: string): Promise<Fixed> {
  const inside = relative(resolve(dataset.folder), resolve(out));
  if (inside === "" || !(inside.startsWith("..") || isAbsolute(inside))) {
    throw new DataError(
      `--fix ${out}: lies inside ${dataset.folder}; name a folder beside it, originals stay untouched`,
    );
  }
  const corrections = correctionsFor(dataset, verification);
  const colours = dataset.yaml.colours ?? defaultColours(Math.max(2, verification.classes.length));
  let copied = 0;
  await writeFolder(out, async (partial) => {
    const names = await filesOf(dataset.folder);
    for (const inner of [
      ...SPLIT_NAMES.filter((split) => dataset.splits[split] !== undefined),
      "mask",
      ...instanceFolder(names),
    ]) {
      await mkdir(join(partial, inner), { recursive: true });
    }
    const orphans = new Set([...corrections.orphaned].map((mask) => join(INSTANCE_FOLDER, `${parse(mask).name}.png`)));
    for (const name of names) {
      const [from, to] = [join(dataset.folder, name), join(partial, name)];
      if (corrections.leftOut.has(from) || corrections.orphaned.has(from) || orphans.has(name)) continue;
      if (corrections.renumbered.has(from) || corrections.restored.has(from)) {
        await writeMask(
          from,
          join(partial, "mask", `${parse(name).name}.png`),
          corrections.renumbered.has(from),
          colours,
        );
      } else {
        await copyFile(from, to);
        copied++;
      }
    }
  });
  return {
    out,
    renumbered: [...corrections.renumbered],
    restored: [...corrections.restored].filter((mask) => !corrections.renumbered.has(mask)),
    leftOut: [...corrections.leftOut].map(([image, equalTo]) => ({ image, equalTo })),
    copied,
  };
}
