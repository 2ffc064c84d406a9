import { allProblems, checkedSample, classesOf } from "./check-dataset.ts";
import type { Dataset, SplitName } from "./dataset.ts";
import { placed } from "./duplicates.ts";
import {
  absentClasses,
  type Counts,
  classesFound,
  countBy,
  emptyFindings,
  emptySplits,
  equalFindings,
  modeFindings,
  patientFindings,
  restFindings,
  sharedStems,
  similarFindings,
  storage,
  type VerifiedClass,
} from "./findings.ts";
import { privacyFindings } from "./identifiers.ts";
import { instanceFindings } from "./instance-files.ts";
import { type Problem, problem } from "./problems.ts";
import { shownText } from "./shown-text.ts";
import { pictureWindow, type Survey, type SurveyOptions, surveyDataset } from "./survey.ts";

/** A problem and how grave it is: with an error nobody should train. */
export interface Finding extends Problem {
  readonly severity: "error" | "warning";
}

export interface Verification {
  readonly name: string;
  readonly folder: string;
  /** Readable pairs by split. */
  readonly images: Readonly<Partial<Record<SplitName, number>>>;
  readonly classes: readonly VerifiedClass[];
  readonly classSource: "given" | "yaml" | "masks";
  readonly sizes: Counts;
  readonly imageModes: Counts;
  readonly maskModes: Counts;
  /** How pictures of more than 8 bits are shown, in a sentence. */
  readonly shown?: string;
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
  /** Files decoded now; the others were known from `indexFile`. */
  readonly decoded: number;
  readonly indexFile: string;
  readonly survey: Survey;
}

const isPresent = ({ splits }: VerifiedClass) => Object.values(splits).some(({ pixels }) => pixels > 0);

function nothingToLearn({ folder }: Dataset): Problem {
  const what = "every mask holds only 0 (background); there is nothing to learn or measure";
  return problem("class-never-present", folder, what, "write the class of each pixel into the masks");
}

/**
 * Finds what is wrong or odd in a dataset folder, all of it at once, before any GPU time is spent: decodes every file
 * of every split once (or knows it from the index that training uses too) and lists everything wrong (errors) and odd
 * (warnings). Throws DataError only where the folder is no dataset at all.
 */
export async function verifyDataset(dataset: Dataset, options: SurveyOptions = {}): Promise<Verification> {
  const survey = await surveyDataset(dataset, undefined, options);
  const checked = survey.splits.map((one) => ({ ...one, samples: one.samples.map(checkedSample) }));
  const held = classesOf(
    dataset,
    checked.flatMap(({ samples }) => samples),
    undefined,
  );
  const { classes, classSource } = held;
  const problems = allProblems(checked, held, dataset);
  const doubtful = problems.some(({ code }) => code === "not-class-numbers");
  const { splits } = survey;
  // What could not be read tells of no class, neither that it is there nor that it is missing.
  const readSplits = splits.filter(({ samples }) => samples.length > 0).map(({ split }) => split);
  const found = readSplits.length === 0 && classSource === "masks" ? [] : classesFound(survey, classes);
  // Of numbers that are hardly classes those between them are no missing classes.
  const verified = doubtful ? found.filter(isPresent) : found;
  const fatal = [...emptySplits(dataset), ...problems, ...sharedStems(splits)];
  if (classes.length < 2 && fatal.length === 0) fatal.push(nothingToLearn(dataset));
  const odd = [
    ...equalFindings(splits),
    ...similarFindings(splits),
    ...patientFindings(splits),
    ...emptyFindings(splits),
    ...privacyFindings(splits),
  ];
  const absent = doubtful ? [] : absentClasses(dataset.folder, verified, readSplits);
  const objects = await instanceFindings(dataset, splits);
  const rest = [...absent, ...modeFindings(splits), ...objects, ...restFindings(dataset, survey)];
  const grave = new Set<Problem>(fatal);
  const isGrave = (one: Problem) => grave.has(one) || one.code === "duplicate-across-splits";
  const findings = [...fatal, ...odd, ...rest].map(
    (one): Finding => ({ ...one, severity: isGrave(one) ? "error" : "warning" }),
  );
  const errors = findings.filter(({ severity }) => severity === "error");
  const samples = placed(splits).map(({ sample }) => sample);
  const shown = shownText(splits, pictureWindow(dataset, options).why, dataset.yaml.channels);
  return {
    name: dataset.name,
    folder: dataset.folder,
    images: Object.fromEntries(splits.map(({ split, samples: own }) => [split, own.length])),
    classes: verified,
    classSource,
    sizes: countBy(samples, ({ imageFacts }) => `${imageFacts.width}x${imageFacts.height}`),
    imageModes: countBy(samples, ({ imageFacts }) => storage(imageFacts)),
    maskModes: countBy(samples, ({ maskFacts }) => storage(maskFacts)),
    ...(shown === undefined ? {} : { shown }),
    findings: [...errors, ...findings.filter(({ severity }) => severity === "warning")],
    errors: errors.length,
    warnings: findings.length - errors.length,
    decoded: survey.decoded,
    indexFile: survey.indexFile,
    survey,
  };
}
