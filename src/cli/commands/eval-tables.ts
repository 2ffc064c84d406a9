import { type EvaluationResult, scoredAtText } from "../../experiment/evaluate/scores.ts";
import type { CaseResult, CasesResult } from "../../metrics/cases.ts";
import type { StratumResult } from "../../metrics/evaluation.ts";
import type { ExtendedResult, IntervalMetric, SurfaceResult } from "../../metrics/extended.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import { note, printLine, printTable } from "../print.ts";
import { figure } from "../units.ts";
import { byLimit, stratumTitle } from "./eval-summary.ts";

type Row = StratumResult & { readonly name: string };

const RIGHT = "right" as const;

/** The tables of an evaluation. Headings say how a number is averaged; the same code computes them for every network. */
export function printEvaluation(result: EvaluationResult, classes: readonly string[], area: AreaRule): void {
  const rows = byLimit(result.strata).map(([name, stratum]) => ({ name, ...stratum }));
  const title = (what: string) => printLine(`${what}, images scored ${scoredAtText(result.scoredAt)}:`);
  title("Overlap");
  printOverlap(rows, result.extended);
  note(
    "mDice, mIoU, sensitivity, F2: pixels pooled per class, classes weighted by the images they occur in, background",
  );
  note(
    "included (the paper's averaging). foreground Dice: mean over foreground classes, pooled. image Dice: mean over",
  );
  note(`images. Strata by the largest object of an image, at the mask's own size, area by the rule "${area}"; images`);
  note("without objects belong to every stratum.");
  printLine("");
  title("Errors");
  printErrors(rows);
  const all = byLimit(result.strata).at(-1)?.[1];
  if (all && classes.length > 2) {
    printLine("");
    title("Classes");
    printClasses(all, classes);
  }
  if (result.extended) {
    printLine("");
    title("Objects");
    printObjects(result.extended);
    printLine("");
    title("Borders");
    printBorders(result.extended, classes);
  }
  if (result.cases) {
    printLine("");
    title("Volumes");
    printCases(result.cases, classes);
  }
  if (result.roc) note(`area under the foreground ROC curve: ${result.roc.area.toFixed(4)}`);
  if (result.rocClasses) {
    note(
      `area under the ROC curve of every foreground class against the rest, pooled: ${result.rocClasses.area.toFixed(4)}`,
    );
  }
}

function printOverlap(rows: readonly Row[], extended: ExtendedResult | undefined): void {
  const interval = (row: Row, metric: IntervalMetric) => {
    const [low, high] = extended?.intervals[row.name]?.[metric] ?? [Number.NaN, Number.NaN];
    return Number.isNaN(low) ? "-" : `${figure(low)} .. ${figure(high)}`;
  };
  const column = (title: string, value: (row: Row) => number) => ({
    title,
    cell: (row: Row) => figure(value(row)),
    align: RIGHT,
  });
  printTable<Row>(
    [
      { title: "objects", cell: ({ name }) => stratumTitle(name) },
      { title: "images", cell: ({ images }) => String(images), align: RIGHT },
      { title: "of them empty", cell: ({ emptyImages }) => String(emptyImages), align: RIGHT },
      column("mDice", (r) => r.mDice),
      ...(extended ? [{ title: "95 % interval", cell: (row: Row) => interval(row, "mDice"), align: RIGHT }] : []),
      column("mIoU", (r) => r.mIoU),
      column("sensitivity", (r) => r.sensitivity),
      column("F2", (r) => r.f2),
      column("foreground Dice", (r) => r.foregroundDice),
      ...(extended
        ? [{ title: "95 % interval", cell: (row: Row) => interval(row, "foregroundDice"), align: RIGHT }]
        : []),
      column("image Dice", (r) => r.imageDice),
    ],
    rows,
  );
}

function printErrors(rows: readonly Row[]): void {
  const column = (title: string, value: (row: Row) => number, digits = 3) => ({
    title,
    cell: (row: Row) => (Number.isNaN(value(row)) ? "-" : value(row).toFixed(digits)),
    align: RIGHT,
  });
  printTable<Row>(
    [
      { title: "objects", cell: ({ name }) => stratumTitle(name) },
      { title: "images", cell: ({ images }) => String(images), align: RIGHT },
      column("MAE foreground (%)", (r) => 100 * r.mae),
      column("MAE index (%)", (r) => 100 * r.maeIndex),
      column("MAE binarised (%)", (r) => 100 * r.maeBinarised),
      column("MAE release (1e-4)", (r) => 1e4 * r.maeRelease),
      column("E-measure", (r) => r.eMeasure, 2),
      column("E-measure release", (r) => r.eMeasureRelease, 2),
    ],
    rows,
  );
  note("MAE foreground: share of pixels whose foreground membership is wrong. index: |predicted - labelled class|.");
  note("binarised: |predicted class - 1[labelled]|. release: that over the number of images, as the paper's tables.");
  note("E-measure: mean over images (empty label map: share of background predicted); release: pooled.");
}

function printClasses(all: StratumResult, classes: readonly string[]): void {
  printTable(
    [
      { title: "class", cell: (row) => classes[row.class] ?? String(row.class) },
      { title: "images", cell: (row) => String(row.images), align: RIGHT },
      { title: "Dice", cell: (row) => figure(100 * row.dice), align: RIGHT },
      { title: "IoU", cell: (row) => figure(100 * row.iou), align: RIGHT },
      { title: "recall", cell: (row) => figure(100 * row.recall), align: RIGHT },
    ],
    all.classes,
  );
}

/** A class that was missed or invented has no distance: how often says the cell, so that no mean hides it. */
function distanceCell({ hausdorff95, notCounted }: SurfaceResult): string {
  return figure(hausdorff95) + (notCounted > 0 ? ` (${notCounted} not counted)` : "");
}

function printObjects({ lesions }: ExtendedResult): void {
  printTable(
    [
      { title: "found objects, IoU", cell: (row) => `>= ${row.overlap}` },
      { title: "size (%)", cell: (row) => row.size },
      { title: "in masks", cell: (row) => String(row.truth), align: RIGHT },
      { title: "recall", cell: (row) => figure(row.recall), align: RIGHT },
      { title: "predicted", cell: (row) => String(row.predicted), align: RIGHT },
      { title: "precision", cell: (row) => figure(row.precision), align: RIGHT },
      { title: "F1", cell: (row) => figure(row.f1), align: RIGHT },
      { title: "95 % interval", cell: (row) => row.interval, align: RIGHT },
    ],
    lesions.flatMap(({ overlap, total, bins, intervals }) => {
      const [low, high] = intervals.f1;
      const interval = Number.isNaN(low) ? "-" : `${figure(low)} .. ${figure(high)}`;
      const used = bins.filter(({ truth, predicted }) => truth + predicted > 0);
      return [
        { overlap, size: "all", interval, ...total },
        ...used.map((bin) => ({ overlap, size: `${bin.from} to ${bin.to}`, interval: "", ...bin })),
      ];
    }),
  );
  note(
    "Objects: 8-connected, of all foreground classes, matched one to one. Recall by size in the label map, precision by",
  );
  note("predicted size; images without objects add only wrong ones.");
}

function printBorders({ surface, bootstrap }: ExtendedResult, classes: readonly string[]): void {
  const { unit, tolerance } = surface;
  printTable(
    [
      { title: "borders of", cell: (row) => classes[row.class] ?? String(row.class) },
      { title: "objects", cell: (row) => stratumTitle(row.name) },
      { title: "images", cell: (row) => String(row.images), align: RIGHT },
      { title: `surface Dice (${tolerance} ${unit})`, cell: (row) => figure(row.surfaceDice), align: RIGHT },
      { title: `HD95 (${unit})`, cell: distanceCell, align: RIGHT },
      { title: `HD95, in both (${unit})`, cell: (row) => figure(row.hausdorff95Present), align: RIGHT },
      { title: "images with distance", cell: (row) => String(row.distances), align: RIGHT },
      { title: "absent in both", cell: (row) => String(row.bothEmpty), align: RIGHT },
      { title: "not predicted", cell: (row) => String(row.predictionEmpty), align: RIGHT },
      { title: "wrongly predicted", cell: (row) => String(row.targetEmpty), align: RIGHT },
    ],
    byLimit(surface.strata).flatMap(([name, stratum]) =>
      stratum.classes.map((row) => ({ name, images: stratum.images, ...row })),
    ),
  );
  const lengths = unit === "mm" ? "millimetres as dataset.yaml says" : "pixels at the evaluated size";
  note(`Borders, mean over images, ${lengths}; ${surface.policy}.`);
  note(`Intervals: percentile bootstrap over images, ${bootstrap.resamples} draws, seed ${bootstrap.seed}.`);
}

function printCases(result: CasesResult, classes: readonly string[]): void {
  const right = (title: string, cell: (row: CaseResult) => string) => ({ title, cell, align: RIGHT });
  const ofClass = ({ classes: own }: CaseResult, label: number) => own.find((one) => one.class === label);
  printTable<CaseResult>(
    [
      { title: "volume", cell: ({ name }) => name },
      right("slices", ({ slices }) => String(slices)),
      right("3-D fg Dice", ({ foregroundDice }) => figure(foregroundDice)),
      ...result.classes.flatMap(({ class: label }) => {
        const name = classes[label] ?? `class ${label}`;
        return [
          ...(classes.length > 2 ? [right(`Dice ${name}`, (row) => figure(ofClass(row, label)?.dice))] : []),
          right(`HD95 ${name} (mm)`, (row) => figure(ofClass(row, label)?.hausdorff95)),
          right(`surface Dice ${name} (${result.tolerance} mm)`, (row) => figure(ofClass(row, label)?.surfaceDice)),
        ];
      }),
    ],
    result.cases,
  );
  note(`${result.policy}.`);
}
