import { join } from "node:path";
import { withColumn } from "../../csv.ts";
import { writeFileAtomic } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import type { ClassRule } from "../../inference/object-rules.ts";
import { caseTable } from "../../metrics/cases.ts";
import { classTable, imageTable, type StratumResult } from "../../metrics/evaluation.ts";
import { EMPTY_POLICIES } from "../../metrics/extended.ts";
import { lesionTable } from "../../metrics/lesions.ts";
import { countTable, objectTable } from "../../metrics/object-scores.ts";
import type { AreaRule } from "../../metrics/objects.ts";
import { rocTable } from "../../metrics/roc.ts";
import { type EvaluationResult, scoredAtName } from "./scores.ts";

/** What was evaluated, as the head of its document. */
export interface EvaluationSource {
  /** The checkpoint's file. */
  readonly checkpoint: string;
  /** The dataset folder and its split. */
  readonly data: string;
  readonly split: string;
  /** Names, the background first. */
  readonly classes: readonly string[];
  readonly area: AreaRule;
  /** Sentences about the images that could not be scored; none where all could. */
  readonly failures?: readonly string[];
}

/** The content of an eval.json: strata by name, percentages as in the paper. */
export interface EvaluationReport extends EvaluationSource, ReturnType<typeof documentOf> {
  /** The rules that the predictions went through first. */
  readonly postprocess?: readonly ClassRule[];
}

/** The document of an evaluation; `postprocess` names the rules its predictions went through, where there were any. */
export function evaluationReport(
  source: EvaluationSource,
  result: EvaluationResult,
  postprocess?: readonly ClassRule[],
): EvaluationReport {
  const { checkpoint, data, split, classes, area, failures = [] } = source;
  const applied = postprocess ? { postprocess } : {};
  return { checkpoint, data, split, classes, area, ...documentOf(result), failures, ...applied };
}

/**
 * Writes `eval.json` and the CSV tables of an evaluation into `folder`, which is made where it is missing; older files of
 * these names are replaced. Returns the names of the tables.
 */
export function writeEvaluation(folder: string, report: EvaluationReport, result: EvaluationResult): string[] {
  const tables = tablesOf(result);
  makeFolder(folder);
  writeFileAtomic(join(folder, "eval.json"), `${JSON.stringify(report, null, 2)}\n`);
  for (const [name, text] of Object.entries(tables)) writeFileAtomic(join(folder, name), text);
  return Object.keys(tables);
}

/** The JSON document of an evaluation: strata by name, percentages as in the paper. */
export function documentOf({ scoredAt, roc, rocClasses, strata, ignored, extended, cases, objects }: EvaluationResult) {
  const { images: _, ...objectScores } = objects ?? {};
  const { intervals = {}, lesions, surface, bootstrap } = extended ?? {};
  const complete = Object.entries(strata).map(([name, stratum]) => {
    const own = intervals[name];
    return [name, own ? { ...stratum, intervals: own } : stratum];
  });
  return {
    /** `native`, or the size that all images were stretched to, such as `128x128`. */
    scoredAt: scoredAtName(scoredAt),
    strata: Object.fromEntries(complete) as Record<string, StratumResult>,
    ignored,
    ...(roc ? { auc: roc.area } : {}),
    ...(rocClasses ? { aucClasses: rocClasses.area } : {}),
    ...(extended ? { bootstrap, lesions, surface } : {}),
    ...(cases ? { cases } : {}),
    ...(objects ? { objects: objectScores } : {}),
    emptyMasks: EMPTY_POLICIES,
  };
}

/** The CSV tables of an evaluation by file name. The last column of each says the size at which was scored. */
function tablesOf(result: EvaluationResult): Record<string, string> {
  const { images, strata, roc, rocClasses, extended, cases, objects, scoredAt } = result;
  const curves = { ...(roc ? { foreground: roc } : {}), ...(rocClasses ? { classes: rocClasses } : {}) };
  const tables = {
    "images.csv": imageTable(images),
    "classes.csv": classTable(strata),
    ...(roc ? { "roc.csv": rocTable(curves) } : {}),
    ...(extended ? { "lesions.csv": lesionTable(extended.lesions) } : {}),
    ...(cases ? { "cases.csv": caseTable(cases) } : {}),
    ...(objects ? { "objects.csv": objectTable(objects), "counts.csv": countTable(objects.images) } : {}),
  };
  const at = scoredAtName(scoredAt);
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, withColumn(table, "scoredAt", at)]));
}
