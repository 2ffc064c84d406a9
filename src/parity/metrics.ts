import { IGNORE_LABEL } from "../labels.ts";
import { AREA_RULES } from "../metrics/objects.ts";
import { OVERLAP_METRICS } from "../metrics/overlap.ts";
import { rocCurve } from "../metrics/roc.ts";
import { pairedTTest, wilcoxonSignedRank } from "../metrics/significance.ts";
import {
  imageShare,
  type ObjectShare,
  objectShares,
  objectStatistics,
  strataOf,
  stratumName,
} from "../metrics/strata.ts";
import { report as metricReport, type Summary } from "../metrics/summary.ts";
import type { Checker } from "./check-files.ts";
import { FixtureError, type FixtureFile, type FixtureTensor } from "./fixture.ts";
import type { FileReport } from "./report.ts";
import { TOLERANCE, type Tolerance } from "./tolerance.ts";

/** Label maps of a set of images of one size. */
interface Maps {
  readonly maps: readonly Int32Array[];
  readonly height: number;
  readonly width: number;
}

interface Context {
  readonly file: FixtureFile;
  readonly report: FileReport;
  readonly classes: number;
}

/** Splits `[image, row, column]`. */
function takeMaps(file: FixtureFile, name: string): Maps {
  const { data, shape } = file.takeInt(name);
  const [images = 0, height = 0, width = 0] = shape;
  if (shape.length !== 3) throw new FixtureError(`tensor "${name}" should have three axes, not ${shape.length}`);
  const pixels = height * width;
  const maps = Array.from({ length: images }, (_, i) => data.subarray(i * pixels, (i + 1) * pixels));
  return { maps, height, width };
}

type Named = readonly [name: string, values: ArrayLike<number>, tolerance: Tolerance];

function compareAll({ file, report }: Context, caseName: string, prefix: string, values: readonly Named[]): void {
  for (const [name, data, tolerance] of values) {
    report.compare(caseName, file.take(`${prefix}${name}`), { shape: [data.length], data }, tolerance);
  }
}

/** The values every stratum has. */
function overlapValues({
  counts,
  presence,
  perClass,
  micro,
  macro,
  foregroundDice,
  imageDice,
  errors,
}: Summary): Named[] {
  const { count, metric } = TOLERANCE;
  return [
    ["inter", counts.inter, count],
    ["predicted", counts.predicted, count],
    ["truth", counts.truth, count],
    ["presence", presence, count],
    ...OVERLAP_METRICS.flatMap((name): Named[] => [
      [`class_${name}`, perClass[name], metric],
      [`micro_${name}`, [micro[name]], metric],
      [`macro_${name}`, [macro[name]], metric],
    ]),
    ["foreground_dice", [foregroundDice], metric],
    ["image_dice", [imageDice], metric],
    ["foreground_mae", [errors.foreground], metric],
  ];
}

/** The values of strata without ignored pixels: the oracle's definitions of these know no ignored pixels. */
function releaseValues({ errors, alignment, alignmentPooled }: Summary): Named[] {
  const { metric } = TOLERANCE;
  return [
    ["index_mae", [errors.index], metric],
    ["binarised_mae", [errors.binarised], metric],
    ["binarised_mae_over_images", [errors.binarisedOverImages], metric],
    ["e_release", [alignmentPooled], metric],
    ["e_standard", [alignment], metric],
  ];
}

async function checkStrata(context: Context, predictions: Maps, targets: Maps): Promise<void> {
  const { report, classes } = context;
  const { height, width } = targets;
  const memberships = targets.maps.map((map) => strataOf(imageShare(map, height, width, "release")));
  for (const limit of [1, 10, 100]) {
    const name = limit === 100 ? "all" : `lt${limit}`;
    await report.inCase(name, () => {
      const kept = [...targets.maps.keys()].filter((i) => memberships[i]?.includes(stratumName(limit)));
      const pick = (maps: readonly Int32Array[]) => kept.flatMap((i) => maps[i] ?? []);
      const summary = metricReport(pick(predictions.maps), pick(targets.maps), classes);
      const values = [...overlapValues(summary), ...releaseValues(summary)];
      compareAll(context, name, `${name}.`, [["images", kept, TOLERANCE.count], ...values]);
    });
  }
}

async function checkIgnored(context: Context, predictions: Maps): Promise<void> {
  await context.report.inCase("ignored", () => {
    const { maps } = takeMaps(context.file, "ignored.target");
    const summary = metricReport(predictions.maps, maps, context.classes);
    compareAll(context, "ignored", "ignored.", overlapValues(summary));
  });
}

/** Rows of image, class and share: the first two are counts, only the last may differ in its last digits. */
function compareObjects({ file, report }: Context, caseName: string, objects: readonly ObjectShare[]): void {
  const golden = file.takeFloat(caseName);
  const data = Float64Array.from(objects.flatMap(({ image, label, share }) => [image, label, share]));
  const shape = [objects.length, 3];
  const exact = golden.data.map((value, i) => (i % 3 === 2 ? 0 : value));
  const labels = data.map((value, i) => (i % 3 === 2 ? 0 : value));
  report.compare(caseName, { ...golden, data: exact }, { shape, data: labels }, TOLERANCE.count);
  report.compare(caseName, golden, { shape, data }, TOLERANCE.metric);
}

async function checkObjects(context: Context, { maps, height, width }: Maps): Promise<void> {
  for (const area of AREA_RULES) {
    await context.report.inCase(`objects_${area}`, () => {
      const count = "class";
      const objects = maps.flatMap((map, image) => objectShares(map, height, width, { image, area, count }));
      const { ultraSmall, small, all, fullRange } = objectStatistics(objects.map(({ share }) => share));
      compareObjects(context, `objects_${area}`, objects);
      compareAll(context, `objects_${area}`, "", [
        [`share_${area}`, maps.map((map) => imageShare(map, height, width, area)), TOLERANCE.metric],
        [`table1_${area}`, [ultraSmall, small, all], TOLERANCE.count],
        // The oracle's range includes objects without area.
        [`table1_range_${area}`, fullRange ?? [], TOLERANCE.metric],
      ]);
    });
  }
}

function checkSameShape(one: FixtureTensor, two: FixtureTensor): void {
  const [first, second] = [one, two].map(({ shape }) => `[${shape.join(", ")}]`);
  if (first === second) return;
  throw new FixtureError(`"${one.name}" has shape ${first}, "${two.name}" ${second}`);
}

async function checkRoc(context: Context): Promise<void> {
  await context.report.inCase("roc", () => {
    const score = context.file.takeFloat("roc.score");
    const truth = context.file.takeInt("roc.truth");
    checkSameShape(score, truth);
    const { falsePositiveRate, truePositiveRate, area } = rocCurve(score.data, truth.data);
    compareAll(context, "roc", "roc.", [
      ["fpr", falsePositiveRate, TOLERANCE.metric],
      ["tpr", truePositiveRate, TOLERANCE.metric],
      ["area", [area], TOLERANCE.metric],
    ]);
  });
}

async function checkTests(context: Context): Promise<void> {
  await context.report.inCase("test", () => {
    const one = context.file.takeFloat("test.one");
    const two = context.file.takeFloat("test.two");
    checkSameShape(one, two);
    compareAll(context, "test", "test.", [
      ["t", [pairedTTest(one.data, two.data).pValue], TOLERANCE.metric],
      ["wilcoxon", [wilcoxonSignedRank(one.data, two.data).pValue], TOLERANCE.metric],
    ]);
  });
}

function wholeNumber(file: FixtureFile, key: string): number {
  const value = Number(file.text(key));
  if (!Number.isInteger(value)) throw new FixtureError(`the metadata entry "${key}" is not a whole number`);
  return value;
}

/** metrics: totals, means, errors, strata, object statistics, ROC and paired tests of a set of label maps. */
export const checkMetrics: Checker = async (file, report) => {
  const context = { file, report, classes: wholeNumber(file, "classes") };
  const ignored = wholeNumber(file, "ignore_index");
  if (ignored !== IGNORE_LABEL) throw new FixtureError(`the ignored label is ${ignored}, expected ${IGNORE_LABEL}`);
  file.text("strata");
  file.remarks("test");
  const predictions = takeMaps(file, "prediction");
  const targets = takeMaps(file, "target");
  await checkStrata(context, predictions, targets);
  await checkIgnored(context, predictions);
  await checkObjects(context, targets);
  await checkRoc(context);
  await checkTests(context);
};
