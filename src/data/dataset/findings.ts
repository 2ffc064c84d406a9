import { join } from "node:path";
import { IGNORE_LABEL } from "../../labels.ts";
import { rangeText } from "../formats/window.ts";
import { checkedSample } from "./check-dataset.ts";
import type { Dataset, SplitName } from "./dataset.ts";
import { equalImages, type PlacedSample, placed, type SimilarPair, similarImages } from "./duplicates.ts";
import type { ImageFacts } from "./file-facts.ts";
import { zeroAnd255Problem, zeroAnd255Warning } from "./mask-values.ts";
import { patientOf } from "./patients.ts";
import { type Problem, problem } from "./problems.ts";
import type { SplitSurvey, Survey } from "./survey.ts";

/** How many files have one property, such as "rgb 8 bits". */
export type Counts = Readonly<Record<string, number>>;

export interface VerifiedClass {
  readonly label: number;
  readonly name: string;
  /** Pixels and images that hold it, by split. */
  readonly splits: Readonly<Partial<Record<SplitName, { readonly pixels: number; readonly images: number }>>>;
}

/** How often each name occurs, the most frequent first. */
export function countBy<T>(items: readonly T[], name: (item: T) => string): Counts {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(name(item), (counts.get(name(item)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}

/** How a file stores its pixels, such as "rgb 8 bits". */
export const storage = ({ mode, depth }: { readonly mode: string; readonly depth: number }) => `${mode} ${depth} bits`;
const inWords = (counts: Counts) => Object.entries(counts).map(([name, count]) => `${count} ${name}`);

/** Splits that have a folder and nothing in it. */
export function emptySplits({ folder, splits, problems }: Dataset): Problem[] {
  return Object.entries(splits)
    .filter(([split, samples]) => samples.length === 0 && (problems[split as SplitName] ?? []).length === 0)
    .map(([split]) => problem("empty-split", join(folder, split), "the folder has no images", "fill it or remove it"));
}

/** One stem in two splits: both images ask for the same mask file. */
export function sharedStems(splits: readonly SplitSurvey[]): Problem[] {
  const first = new Map<string, PlacedSample>();
  return placed(splits).flatMap((one) => {
    const earlier = first.get(one.sample.stem);
    if (earlier === undefined) {
      first.set(one.sample.stem, one);
      return [];
    }
    if (earlier.sample.imageFacts.content === one.sample.imageFacts.content) return [];
    const what = `has the same stem as ${earlier.sample.image}, another picture; both share one mask`;
    return [problem("shared-stem", one.sample.image, what, "rename one and give it a mask of its own")];
  });
}

/** Pictures whose pixels are equal, one finding a group. */
export function equalFindings(splits: readonly SplitSurvey[]): Problem[] {
  return equalImages(splits).map((group) => {
    const [first, ...others] = group.map(({ sample }) => sample.image);
    const masks = new Set(group.map(({ sample }) => sample.maskFacts.content)).size;
    const unequal = masks > 1 ? `, with ${masks} different masks` : "";
    const across = new Set(group.map(({ split }) => split)).size > 1;
    const what = `holds the same pixels as ${others.join(" and ")}${unequal}`;
    return across
      ? problem("duplicate-across-splits", first ?? "", what, "keep it in one split only")
      : problem("duplicate-within-split", first ?? "", what, masks > 1 ? "find out which mask is right" : "keep one");
  });
}

/** Pairs that look alike, those in two splits first. */
export function similarFindings(splits: readonly SplitSurvey[]): Problem[] {
  const isAcross = ({ first, second }: SimilarPair) => first.split !== second.split;
  const pairs = similarImages(splits);
  const sorted = [...pairs.filter(isAcross), ...pairs.filter((pair) => !isAcross(pair))];
  return sorted.map((pair) => {
    const { first, second, similarity } = pair;
    const across = isAcross(pair);
    return problem(
      "near-duplicate",
      first.sample.image,
      `looks like ${second.sample.image} (similarity ${similarity.toFixed(3)})${across ? ", in another split" : ""}`,
      across
        ? "if they show the same, move both to one split"
        : "if they show the same, keep one or give them less weight",
    );
  });
}

/** Patients, by the names of their pictures, in more than one split. */
export function patientFindings(splits: readonly SplitSurvey[]): Problem[] {
  const groups = new Map<string, PlacedSample[]>();
  for (const one of placed(splits)) {
    const patient = patientOf(one.sample.stem);
    if (patient !== undefined) groups.set(patient, [...(groups.get(patient) ?? []), one]);
  }
  // A name that all share is the dataset's.
  if (groups.size < 2) return [];
  return [...groups].flatMap(([patient, group]) => {
    const counts = countBy(group, ({ split }) => split);
    const names = Object.keys(counts);
    const [first] = group;
    if (names.length < 2 || first === undefined) return [];
    const where = Object.entries(counts).map(([split, count]) => `${count} in ${split}`);
    const what = `by its name of "${patient}", which has ${where.join(" and ")}`;
    return [problem("shared-patient", first.sample.image, what, "if that is one patient, move all to one split")];
  });
}

/** A picture of one value, or one that its window leaves nothing of. */
function flatProblem(image: string, { width, height, sums, squares, shown }: ImageFacts): Problem | undefined {
  const pixels = width * height;
  const isFlat = sums.every((sum, channel) => {
    const spread = (squares[channel] ?? 0) * pixels - sum * sum;
    return shown === undefined ? spread === 0 : spread < 1e-6 * pixels * pixels;
  });
  if (!isFlat) return undefined;
  if (shown !== undefined && !shown.own) {
    const what = `nothing of it is seen: its values lie outside of the window ${rangeText(shown)}, or are equal`;
    return problem("flat-image", image, what, "choose another --window, or another in dataset.yaml");
  }
  const value = shown === undefined ? `the value ${Math.round((sums[0] ?? 0) / pixels)}` : "one value";
  return problem("flat-image", image, `every pixel has ${value}`, "restore it from its source");
}

/** Single pictures without content: masks of background only, images of one value. */
export function emptyFindings(splits: readonly SplitSurvey[]): Problem[] {
  return placed(splits).flatMap(({ sample: { image, mask, imageFacts, maskFacts } }) => {
    const found: Problem[] = [];
    const values = maskFacts.labels.map(([label]) => label);
    if (values.every((label) => label === 0)) {
      found.push(
        problem("empty-mask", mask, "holds background only", "check that nothing is to be found in its image"),
      );
    } else if (values.every((label) => label === IGNORE_LABEL)) {
      found.push(problem("empty-mask", mask, "is ignored as a whole (255)", "leave the image out"));
    }
    const flat = flatProblem(image, imageFacts);
    if (flat !== undefined) {
      found.push(flat);
    }
    return found;
  });
}

/** Files stored another way than most: harmless alone, a sign of mixed sources together. */
export function modeFindings(splits: readonly SplitSurvey[]): Problem[] {
  const samples = placed(splits).map(({ sample }) => sample);
  const found: Problem[] = [];
  const images = countBy(samples, ({ imageFacts }) => storage(imageFacts));
  const [usual, ...unusual] = Object.keys(images);
  const odd = samples.find(({ imageFacts }) => storage(imageFacts) !== usual);
  if (unusual.length > 0 && odd !== undefined) {
    const what = `images are stored in different ways: ${inWords(images).join(", ")} (this one: ${storage(odd.imageFacts)})`;
    const cure = "make sure that colour and grey are meant to be mixed; all are read as 8-bit RGB";
    found.push(problem("image-modes-differ", odd.image, what, cure));
  }
  const masks = countBy(samples, ({ maskFacts }) => storage(maskFacts));
  const [usualMask] = Object.keys(masks);
  const oddMask = samples.find(({ maskFacts }) => storage(maskFacts) !== usualMask);
  if (oddMask !== undefined) {
    const what = `masks are stored in different ways: ${inWords(masks).join(", ")} (this one: ${storage(oddMask.maskFacts)})`;
    const cure = "pixel values are read as classes in all; make sure that no viewer converted some";
    found.push(problem("mask-modes-differ", oddMask.mask, what, cure));
  }
  return [...found, ...colourMasks(samples)];
}

function colourMasks(samples: readonly SplitSurvey["samples"][number][]): Problem[] {
  return samples
    .filter(({ maskFacts }) => !["grey", "palette"].includes(maskFacts.mode) || maskFacts.depth === 16)
    .map(({ mask, maskFacts }) =>
      problem(
        "mask-in-colour",
        mask,
        `is stored as ${storage(maskFacts)} though it holds one class index a pixel`,
        "--fix stores it as an 8-bit palette image",
      ),
    );
}

/** Where each class occurs. */
export function classesFound(survey: Survey, classes: readonly string[]): VerifiedClass[] {
  return classes.map((name, label) => ({
    label,
    name,
    splits: Object.fromEntries(
      survey.splits.map(({ split, samples }) => {
        const counts = samples.map(({ maskFacts }) => maskFacts.labels.find(([value]) => value === label)?.[1] ?? 0);
        const pixels = counts.reduce((sum, count) => sum + count, 0);
        return [split, { pixels, images: counts.filter((count) => count > 0).length }];
      }),
    ),
  }));
}

/** Classes that no mask of the splits `looked` at holds. */
export function absentClasses(
  folder: string,
  classes: readonly VerifiedClass[],
  looked: readonly SplitName[],
): Problem[] {
  if (looked.length === 0) return [];
  return classes.flatMap(({ label, name, splits }) => {
    const found = looked.map((split) => [split, splits[split] ?? { images: 0 }] as const);
    const without = found.filter(([, { images }]) => images === 0).map(([split]) => split);
    if (without.length === 0) return [];
    if (without.length === found.length) {
      const what = `no mask holds class ${label} ${name}`;
      const cure = "correct the masks, or remove the class from dataset.yaml";
      return [problem("class-never-present", folder, what, cure)];
    }
    return without.map((split) =>
      problem(
        "class-never-present",
        join(folder, split),
        `no mask of ${split} holds class ${label} ${name}`,
        split === "train" ? "it cannot be learnt; split the images anew" : "its score there is undefined; split anew",
      ),
    );
  });
}

/**
 * What no other kind of finding here covers: masks nobody asks for, single masks of 0 and 255, an index that cannot be
 * kept.
 */
export function restFindings({ folder, unusedMasks }: Dataset, survey: Survey): Problem[] {
  const found = unusedMasks.map((name) =>
    problem(
      "unused-mask",
      join(folder, "mask", name),
      "no image of any split has its stem",
      "name it as its image if it has one",
    ),
  );
  const masks = survey.splits.map(({ split, samples }) => ({ split, own: samples.map(checkedSample) }));
  // A split of nothing else is an error already.
  const others = masks.filter(({ split, own }) => zeroAnd255Problem(folder, join(folder, split), own) === undefined);
  const single = zeroAnd255Warning(
    folder,
    others.flatMap(({ own }) => own),
  );
  if (single !== undefined) found.push(single);
  if (survey.unsaved !== undefined) {
    const { indexFile, unsaved } = survey;
    found.push({ code: "not-indexed", file: indexFile, message: unsaved, cure: "make its folder writable" });
  }
  return found;
}
