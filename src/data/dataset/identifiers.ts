import { TEXT_FROM } from "../image/burnt-in-text.ts";
import { placed } from "./duplicates.ts";
import { type Problem, problem } from "./problems.ts";
import type { SplitSurvey } from "./survey.ts";

/** Years in which a patient or a visit may lie. */
const FIRST_YEAR = 1900;
const LAST_YEAR = 2099;

/** `19530817`, `1953-08-17`, `17.08.1953`, `17081953`, standing apart from other digits. */
const DATES = [
  /(?<!\d)(?<year>\d{4})(?<gap>[-_.]?)(?<month>\d{2})\k<gap>(?<day>\d{2})(?!\d)/,
  /(?<!\d)(?<day>\d{2})(?<gap>[-_.]?)(?<month>\d{2})\k<gap>(?<year>\d{4})(?!\d)/,
];

/** A word for a person's number with at least four digits behind it. */
const MARKED_NUMBER = /(?:^|[^a-z])(?:mrn|pid|patient[-_ ]?id|ssn|nhs|dob|acc(?:ession)?|medrec)[-_ .#:]*\d{4,}/i;

/** Seven to twelve digits apart from all else. Counters are filled up with zeros, numbers of persons are not. */
const LONG_NUMBER = /^(?:.*[^0-9a-z])?[1-9]\d{6,11}(?:[^0-9a-z].*)?$/i;

/** When a device took a picture, to the second: seldom more than its serial number. */
const RECORDED = /(?<!\d)(?:19[89]|20)\d{6}[-_T]?\d{6}(?!\d)/g;

/** A unique identifier of DICOM: it leads back to the study it came from. */
const UID = /(?<!\d)(?<!\d\.)[0-2](?:\.\d+){5,}(?!\d)/;

/** `DOE^JANE`, `Doe, Jane`, `DOE_JANE`, `Jane-Doe`: two words of letters and nothing else but a number. */
const NAME = /^(\p{Lu}\p{L}{2,})(?:\^|, ?|[-_ ])(\p{Lu}\p{L}{2,})(?:[-_ ^.]*\d{0,4})?$/u;

/** Words that pictures are named by; one of them and it is no person's name. */
const COMMON = new Set(
  (
    "image images img picture photo frame slice scan mask label ground truth case patient subject sample study series volume " +
    "train training test val valid validation left right upper lower top bottom front back axial coronal sagittal phase " +
    "normal abnormal benign malignant healthy tumor tumour lesion polyp polyps cell cells nuclei vessel retina fundus liver " +
    "kidney heart brain lung spleen prostate colon skin bone breast sperm head tail red green blue grey gray original stain " +
    "hospital center centre site clinic data dataset set part tile patch crop video pre post early late day week visit"
  ).split(" "),
);

function isDate({ year, month, day }: Readonly<Record<string, string>>): boolean {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  return y >= FIRST_YEAR && y <= LAST_YEAR && m >= 1 && m <= 12 && d >= 1 && d <= 31;
}

/**
 * What in the name of a picture (its stem) looks like a person: a name, a number of a patient, a date, a DICOM identifier;
 * undefined where nothing does. Made to be seldom wrong on names of public sets, not to find everything.
 */
export function identifierIn(stem: string): string | undefined {
  const [, first = "", second = ""] = NAME.exec(stem) ?? [];
  const words = [first, second].map((word) => word.toLowerCase());
  const rest = stem.replace(RECORDED, "");
  if (first !== "" && !words.some((word) => COMMON.has(word))) return "a person's name";
  if (DATES.some((kind) => isDate(kind.exec(rest)?.groups ?? {}))) return "a date";
  if (UID.test(stem)) return "a DICOM identifier";
  if (MARKED_NUMBER.test(rest) || LONG_NUMBER.test(rest)) return "a patient's number";
  return undefined;
}

/** Pictures that seem to name persons, in their names or in their pixels. */
export function privacyFindings(splits: readonly SplitSurvey[]): Problem[] {
  return [...namedAfterPersons(splits), ...burntInText(splits)];
}

function burntInText(splits: readonly SplitSurvey[]): Problem[] {
  return placed(splits).flatMap(({ sample: { image, imageFacts } }) => {
    if (imageFacts.characters < TEXT_FROM) return [];
    const what = `a line of ${imageFacts.characters} bright marks looks like burnt-in text`;
    return [problem("burnt-in-text", image, what, "look at it; blacken names, numbers and dates before you share it")];
  });
}

function namedAfterPersons(splits: readonly SplitSurvey[]): Problem[] {
  return placed(splits).flatMap(({ sample: { stem, image } }) => {
    const found = identifierIn(stem);
    if (found === undefined) return [];
    const cure = "if it points to a patient, rename image and mask: names go into runs, results and messages";
    return [problem("identifier-in-name", image, `its name holds what looks like ${found}`, cure)];
  });
}
