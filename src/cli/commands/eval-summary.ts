import { type EvaluationResult, scoredAtText } from "../../experiment/evaluate/scores.ts";
import type { StratumResult } from "../../metrics/evaluation.ts";
import type { ExtendedResult } from "../../metrics/extended.ts";
import { visibleInLine } from "../../visible.ts";
import { formatTable } from "../print.ts";
import { figure, firstFew } from "../units.ts";

/** Columns of the narrowest terminal that nothing may wrap in. */
const WIDTH = 80;
/** Overlap that a found object must reach here. */
const FOUND = 0.5;
/** Strata in the short table. */
const MOST_STRATA = 3;
/** Longest name of a class in a line. */
const LONGEST_NAME = 20;

/** A stratum with its name. */
type Row = StratumResult & { readonly name: string };

const limitOf = (name: string): number => (name === "all" ? 100 : Number(name));

/** Strata from the smallest on; keys that look like whole numbers come first in an object. */
export function byLimit<T>(strata: Readonly<Record<string, T>>): [name: string, stratum: T][] {
  return Object.entries(strata).sort(([one], [two]) => limitOf(one) - limitOf(two));
}

export const stratumTitle = (name: string): string => (name === "all" ? "all" : `< ${name} %`);

/** What the first line has to say beside the scores. */
interface SummaryFacts {
  readonly split: string;
  /** Names, the background first. */
  readonly classes: readonly string[];
  /** Images that could not be scored. */
  readonly failures?: number;
}

/**
 * The scores in at most ten lines of at most 80 columns: how good, on which sizes, what is missed. Every line says what its
 * numbers are of.
 */
export function summaryLines(result: EvaluationResult, facts: SummaryFacts): string[] {
  const { extended, strata } = result;
  const rows = byLimit(strata).map(([name, stratum]) => ({ name, ...stratum }));
  const all = rows.at(-1);
  return [
    headLine(result, facts),
    ...(all ? [diceLine(all, extended), ...sizeTable(rows)] : []),
    ...(extended ? objectLines(extended) : []),
    ...(all ? classLine(all, facts.classes) : []),
    ...lengthLine(result),
  ].map(shortened);
}

function headLine({ images, ignored, scoredAt }: EvaluationResult, { split, failures = 0 }: SummaryFacts): string {
  const left = [...(failures > 0 ? [`${failures} left out`] : []), ...(ignored.length > 0 ? ["some ignored"] : [])];
  const sizes = scoredAt === "native" ? ` (${sizeRange(images)})` : ", not at their own size";
  const aside = left.length > 0 ? `; ${left.join(", ")}` : "";
  return `${split}: ${counted(images.length, "image")} scored ${scoredAtText(scoredAt)}${sizes}${aside}`;
}

/** `256x256 to 520x696`: the smallest and the largest image. */
function sizeRange(images: EvaluationResult["images"]): string {
  const sorted = images.toSorted((one, two) => one.width * one.height - two.width * two.height);
  const texts = [sorted[0], sorted.at(-1)].flatMap((one) => (one ? [`${one.width}x${one.height}`] : []));
  return [...new Set(texts)].join(" to ");
}

function diceLine(all: Row, extended: ExtendedResult | undefined): string {
  if (Number.isNaN(all.foregroundDice)) return "foreground Dice -: no mask holds an object, there is nothing to find";
  const [low, high] = extended?.intervals[all.name]?.foregroundDice ?? [Number.NaN, Number.NaN];
  const interval = Number.isNaN(low) ? "" : ` (95 % interval ${figure(low)} .. ${figure(high)})`;
  const nothing = all.classes.every((one) => one.class === 0 || one.predicted === 0);
  return `foreground Dice ${figure(all.foregroundDice)} %${nothing ? ": no foreground pixel is predicted" : interval}`;
}

/** The smallest strata and all images, a line each. */
function sizeTable(rows: readonly Row[]): string[] {
  const shown = rows.length <= MOST_STRATA ? rows : [...rows.slice(0, MOST_STRATA - 1), ...rows.slice(-1)];
  const column = (title: string, cell: (row: Row) => string) => ({ title, cell, align: "right" as const });
  const table = formatTable<Row>(
    [
      { title: "largest object", cell: ({ name }) => stratumTitle(name) },
      column("images", ({ images }) => String(images)),
      column("fg Dice", (row) => figure(row.foregroundDice)),
      column("image Dice", (row) => figure(row.imageDice)),
      column("mDice", (row) => figure(row.mDice)),
      column("mIoU", (row) => figure(row.mIoU)),
      column("sensitivity", (row) => figure(row.sensitivity)),
    ],
    shown,
  );
  const [head = "", , ...lines] = table.split("\n"); // without the rule below the heading
  return [head, ...lines];
}

/** How many objects are found, and of which sizes most are missed. */
function objectLines({ lesions }: ExtendedResult): string[] {
  const found = lesions.find(({ overlap }) => overlap === FOUND);
  if (found === undefined || found.total.truth + found.total.predicted === 0) return [];
  const { total, bins } = found;
  const wrong = total.predicted - total.correct;
  const missed = bins
    .filter(({ truth, found: hits }) => truth > hits)
    .toSorted((one, two) => two.truth - two.found - (one.truth - one.found))
    .map((bin) => `${bin.from} to ${bin.to}: ${bin.truth - bin.found} of ${bin.truth}`);
  const first = `objects at IoU ${FOUND}: ${total.found} of ${total.truth} found, ${wrong} of ${total.predicted} predicted are wrong`;
  return [first, ...(missed.length > 0 ? [joinedWithin("missed by size (% of image): ", missed)] : [])];
}

/** The worst and the best class where there are several. */
function classLine(all: Row, names: readonly string[]): string[] {
  const held = all.classes.filter((one) => one.class > 0 && one.images > 0).toSorted((a, b) => a.dice - b.dice);
  const [worst, ...others] = held;
  const best = others.at(-1);
  if (worst === undefined || best === undefined) return [];
  const text = ({ class: label, dice }: typeof worst) => `${nameOf(names, label)} ${figure(100 * dice)}`;
  return [`Dice by class: worst ${text(worst)}, best ${text(best)}`];
}

function nameOf(names: readonly string[], label: number): string {
  const name = visibleInLine(names[label] ?? `class ${label}`);
  return name.length <= LONGEST_NAME ? name : `${name.slice(0, LONGEST_NAME - 1)}…`;
}

/** Volumes as cases where there are some, else the borders. */
function lengthLine({ cases, extended, strata }: EvaluationResult): string[] {
  if (cases) {
    const borders = Number.isNaN(cases.hausdorff95) ? "" : `, HD95 ${figure(cases.hausdorff95)} mm`;
    return [
      `${counted(cases.cases.length, "volume")}, each one case: 3-D foreground Dice ${figure(cases.foregroundDice)} %${borders}`,
    ];
  }
  if (!extended) return [];
  const { unit, tolerance, strata: surfaces } = extended.surface;
  const name = byLimit(strata).at(-1)?.[0] ?? "";
  const all = surfaces[name];
  if (!all || Number.isNaN(all.hausdorff95)) return [];
  return [
    `borders: surface Dice ${figure(all.surfaceDice)} % within ${tolerance} ${unit}, HD95 ${figure(all.hausdorff95)} ${unit}`,
  ];
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** As many items behind `start` as a line holds. */
function joinedWithin(start: string, items: readonly string[]): string {
  let line = start + (items[0] ?? "");
  for (const item of items.slice(1)) {
    if (line.length + item.length + 2 > WIDTH) break;
    line += `, ${item}`;
  }
  return line;
}

const shortened = (line: string): string => (line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`);

/** What is not counted, and why. */
export function uncountedLines({ strata, ignored }: EvaluationResult): string[] {
  const objectless = byLimit(strata).filter(([, { images, emptyImages }]) => images === emptyImages);
  return [
    ...(ignored.length > 0
      ? [`${ignored.length} images are ignored as a whole (255) and count nowhere: ${firstFew(ignored)}.`]
      : []),
    ...objectless.map(([name, { images }]) =>
      images === 0
        ? `${stratumTitle(name)}: no images, nothing to measure.`
        : `${stratumTitle(name)}: none of the ${images} label maps holds an object: nothing to measure ("-").`,
    ),
  ];
}
