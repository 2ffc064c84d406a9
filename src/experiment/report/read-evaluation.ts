import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { readCsv } from "../../csv.ts";
import { DataError } from "../../errors.ts";
import { readFacts } from "../checkpoint/checkpoint.ts";
import { checkpointPath } from "../checkpoint/load-run.ts";
import { diceOf } from "../evaluate/eval-pictures.ts";
import { runPaths } from "../run/run-folder.ts";
import { parseScores } from "../study/score.ts";
import { rounded } from "./curves.ts";
import { type RunEvaluation, type RunRoc, STRATUM_METRICS } from "./data.ts";

/** An image of an evaluation. */
interface ScoredImage {
  readonly name: string;
  /** Percent of the image that its largest object takes. */
  readonly share: number;
  /** Foreground Dice, percent; null where it cannot be told. */
  readonly dice: number | null;
}

/** An evaluation as its files hold it. */
export interface StoredEvaluation extends Omit<RunEvaluation, "images" | "dice" | "set"> {
  /** The data set's folder, absolute. */
  readonly data: string;
  readonly images: readonly ScoredImage[];
}

const numeric = z.number().nullish();
const stratum = z.looseObject({
  ...Object.fromEntries(STRATUM_METRICS.map((name) => [name, numeric])),
  confusion: z.array(z.array(z.number())).optional(),
  classes: z.array(z.looseObject({ intersection: z.number(), predicted: z.number(), labelled: z.number() })),
});
type Stratum = z.output<typeof stratum>;

const evaluationFile = z.looseObject({
  data: z.string(),
  split: z.string(),
  classes: z.array(z.string()),
  area: z.enum(["release", "pixels"]).catch("release"),
  scoredAt: z.string(),
  strata: z.record(z.string(), stratum),
});

/** Every evaluation of a run: that of `svanet eval` first (in `folder`, where it was written elsewhere), then those of studies. */
export async function readEvaluations(run: string, data: string, folder?: string): Promise<StoredEvaluation[]> {
  const own = readEvaluation(folder ?? runPaths(run).eval);
  const scores = join(run, "scores");
  const files = existsSync(scores) ? readdirSync(scores).filter((name) => name.endsWith(".json")) : [];
  const kept = [];
  for (const name of files.sort()) kept.push(await readKept(run, join(scores, name), data));
  return [...(own === undefined ? [] : [own]), ...kept];
}

/** What `svanet eval` left in a folder; undefined where it left nothing. */
function readEvaluation(folder: string): StoredEvaluation | undefined {
  const file = join(folder, "eval.json");
  if (!existsSync(file)) return undefined;
  const { data, split, classes, area, scoredAt, strata } = parsed(file, () => {
    return evaluationFile.parse(JSON.parse(readFileSync(file, "utf8")));
  });
  const rows = readCsv(readFileSync(join(folder, "images.csv"), "utf8"));
  const number = (text: string | undefined) => (text === undefined || text === "" ? Number.NaN : Number(text));
  const images = rows.map((row) =>
    scoredImage({
      name: row["name"] ?? "",
      share: number(row[area === "release" ? "shareRelease" : "sharePixels"]),
      foregroundDice: number(row["foregroundDice"]),
      imageDice: number(row["imageDice"]),
    }),
  );
  const at = { data: resolve(data), split, scoredAt, file: join(basename(folder), "eval.json") };
  return { ...at, classes, ...countsOf(strata), images };
}

/** What a study kept of a run's scores. */
async function readKept(run: string, file: string, data: string): Promise<StoredEvaluation> {
  const { scoredAt, strata, images } = parsed(file, () => {
    const found = parseScores(readFileSync(file, "utf8"));
    return { ...found, strata: z.record(z.string(), stratum).parse(nullForNaN(found.strata)) };
  });
  const { classes } = await readFacts(checkpointPath(run));
  const [split = ""] = basename(file).split("-");
  const scored = images.map(({ shareRelease, ...image }) => scoredImage({ ...image, share: shareRelease }));
  const at = { data: resolve(data), split, scoredAt, file: join("scores", basename(file)) };
  return { ...at, classes, ...countsOf(strata), images: scored };
}

const nullForNaN = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

function scoredImage(row: {
  readonly name: string;
  readonly share: number;
  readonly foregroundDice: number;
  readonly imageDice: number;
}): ScoredImage {
  return { name: row.name, share: rounded(row.share) ?? 0, dice: rounded(diceOf(row)) };
}

function countsOf(strata: Readonly<Record<string, Stratum>>): Pick<StoredEvaluation, "strata" | "confusion"> {
  const metrics = (of: Stratum) =>
    Object.fromEntries(STRATUM_METRICS.map((name) => [name, rounded(Number(of[name] ?? Number.NaN))]));
  const all = strata["all"];
  return {
    strata: Object.fromEntries(
      Object.entries(strata).map(([name, of]) => [name, metrics(of)]),
    ) as RunEvaluation["strata"],
    confusion: all?.confusion ?? (all === undefined ? null : fromClasses(all)),
  };
}

/** Of two classes their sums tell all pairs; of more they do not. */
function fromClasses({ classes: [background, object, ...others] }: Stratum): number[][] | null {
  if (background === undefined || object === undefined || others.length > 0) return null;
  return [
    [background.intersection, background.labelled - background.intersection],
    [object.labelled - object.intersection, object.intersection],
  ];
}

/** Points of a curve that are drawn: neighbours closer than this in both rates look like one. */
const ROC_STEP = 1 / 250;

/** The ROC curve of the foreground that `svanet eval` left in a folder; null where there is none. */
export function readRoc(folder: string): (Omit<RunRoc, "set"> & { readonly data: string }) | null {
  const [table, report] = [join(folder, "roc.csv"), join(folder, "eval.json")];
  if (!existsSync(table) || !existsSync(report)) return null;
  const { data, split, scoredAt, auc } = parsed(report, () =>
    evaluationFile.extend({ auc: z.number().nullish() }).parse(JSON.parse(readFileSync(report, "utf8"))),
  );
  if (auc === null || auc === undefined) return null;
  const rows = readCsv(readFileSync(table, "utf8")).filter(({ curve }) => curve === "foreground");
  const points = thinned(
    rows.map((row) => [Number(row["falsePositiveRate"]), Number(row["truePositiveRate"])] as const),
  );
  return {
    data: resolve(data),
    split,
    scoredAt,
    falsePositiveRate: points.map(([x]) => rounded(x) ?? 0),
    truePositiveRate: points.map(([, y]) => rounded(y) ?? 0),
    area: auc,
  };
}

/** The first and last point, and those between that are no closer than {@link ROC_STEP} to the one kept before. */
function thinned(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const kept: (readonly [number, number])[] = [];
  for (const [i, point] of points.entries()) {
    const before = kept.at(-1);
    const apart = before && Math.max(Math.abs(point[0] - before[0]), Math.abs(point[1] - before[1])) >= ROC_STEP;
    if (before === undefined || apart || i === points.length - 1) kept.push(point);
  }
  return kept;
}

/** What `read` makes of a file; DataError, naming it, where that is damaged. */
function parsed<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    const [first = ""] = error instanceof z.ZodError ? [z.prettifyError(error).split("\n")[0]] : [error.message];
    throw new DataError(`${file} is damaged (${first}): make it again with svanet eval, or move it away`, {
      cause: error,
    });
  }
}
