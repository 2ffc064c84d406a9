import { IGNORE_LABEL } from "../../labels.ts";
import { countingSigns } from "../masks/instance-signs.ts";
import { areClassNumbers, cutAdvice, gapsIn, inBrief, MOST_UNNAMED_CLASSES, mapAdvice } from "../masks/meaning.ts";
import { type Problem, problem } from "./problems.ts";

interface MaskValues {
  readonly mask: string;
  readonly labels: readonly (readonly [label: number, pixels: number])[];
  /** Bits a sample as stored; undefined: 8. */
  readonly maskDepth?: number | undefined;
}

const ignoredPixels = ({ labels }: MaskValues) => labels.find(([label]) => label === IGNORE_LABEL)?.[1] ?? 0;
const hasObjects = ({ labels }: MaskValues) => labels.some(([label]) => label !== 0 && label !== IGNORE_LABEL);

/**
 * The problem of a split (`folder`) whose masks know no other values than 0 and 255, drawn as black and white where the class
 * index 1 is meant: with 255 = ignore nothing would be learnt. Undefined where labels occur.
 */
export function zeroAnd255Problem(dataset: string, folder: string, masks: readonly MaskValues[]): Problem | undefined {
  const white = masks.filter((mask) => ignoredPixels(mask) > 0);
  const [first] = white;
  if (first === undefined || masks.some(hasObjects)) return undefined;
  const cure = `svanet data prepare folder --from ${dataset} --out NEW-FOLDER --map 255=1 makes 255 the first class`;
  const what =
    `its ${masks.length} masks hold only the values 0 and 255 (first: ${first.mask}, ${ignoredPixels(first)} pixels of 255). A ` +
    "pixel's value is its class: 0 is background, 1 the first class (foreground), and 255 means 'ignore', so these masks name " +
    "no object at all";
  return problem("mask-0-255", folder, what, cure);
}

/** A finding about single masks of 0 and 255 in a set that otherwise never uses 255 beside labels; undefined if none. */
export function zeroAnd255Warning(dataset: string, masks: readonly MaskValues[]): Problem | undefined {
  if (masks.some((mask) => hasObjects(mask) && ignoredPixels(mask) > 0)) return undefined;
  const odd = masks.filter((mask) => ignoredPixels(mask) > 0);
  const [first] = odd;
  if (first === undefined) return undefined;
  const others = odd.length > 1 ? `, as in ${odd.length - 1} more masks` : "";
  return problem(
    "mask-0-255",
    first.mask,
    `only the values 0 and 255 occur${others}, and no mask with labels uses 255, which means 'ignore'`,
    `where foreground is meant, svanet data prepare folder --from ${dataset} --out NEW-FOLDER with --map ...,255=1 says so`,
  );
}

/** The problem of a set whose masks seem to number objects, while nobody names the classes. */
function objectNumbersProblem(folder: string, masks: readonly MaskValues[]): Problem | undefined {
  const numbers = masks.map(({ labels, maskDepth = 8 }) => {
    const own = labels.map(([label]) => label).filter((label) => label !== 0 && label !== IGNORE_LABEL);
    return { objects: own.length, highest: Math.max(0, ...own), depth: maskDepth };
  });
  const counting = countingSigns(numbers);
  if (counting === undefined) return undefined;
  const highest = Math.max(...numbers.map((one) => one.highest));
  return problem(
    "not-class-numbers",
    folder,
    `the numbers of its masks look like single objects, not classes: ${counting}, and nobody names the classes`,
    `svanet data prepare folder --from ${folder} --out NEW-FOLDER --instances makes all objects one class and keeps them; if they are ` +
      `classes, name them in dataset.yaml or train with --classes ${highest + 1}`,
  );
}

/**
 * The problem of a set whose classes nobody names and whose masks hold what are hardly class numbers: more than 32, or
 * numbers with gaps, as black-and-white masks with soft edges or grey levels of a drawing have. Undefined where all is well.
 */
export function classNumbersProblem(folder: string, masks: readonly MaskValues[]): Problem | undefined {
  const numbered = objectNumbersProblem(folder, masks);
  if (numbered !== undefined) return numbered;
  const counts = new Map<number, number>();
  for (const { labels } of masks) {
    for (const [label, pixels] of labels) counts.set(label, (counts.get(label) ?? 0) + pixels);
  }
  const values = [...counts.keys()].sort((a, b) => a - b);
  if (areClassNumbers(values)) return undefined;
  const labels = values.filter((label) => label !== IGNORE_LABEL);
  const gaps = gapsIn(labels);
  const absent =
    gaps.length === 0
      ? ""
      : `, while ${gaps.length} numbers below ${Math.max(...labels)} never occur (first: ${gaps[0]})`;
  const few = values.length <= MOST_UNNAMED_CLASSES;
  const advice = few ? mapAdvice(values) : cutAdvice(labels);
  const what =
    `are these class numbers? Its masks hold ${values.length} different values (${inBrief(counts)})` +
    `${absent}, and nobody names the classes`;
  const cure =
    `if not, svanet data prepare folder --from ${folder} --out NEW-FOLDER ${advice} reads them; if so, name them in dataset.yaml ` +
    `or train with --classes ${Math.max(...labels) + 1}`;
  return problem("not-class-numbers", folder, what, cure);
}
