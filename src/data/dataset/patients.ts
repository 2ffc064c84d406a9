/** A word for the one shown and its number, standing apart from the rest: random names hold such letters by chance. */
const MARKED =
  /(?:^|[-_. ])(patient|subject|subj|sub|case|pat|pid|person|child|volume|vol|video|vid|p)[-_ ]?(\d+)(?=$|[-_. ])/i;
const SIDED = /^(.*\d)[-_ ]?(?:l|r|left|right|od|os)$/i;
/** A number of a slice or frame behind a name that holds a number already; dates and times have more digits. */
const NUMBERED = /^(.*\d.*?)[-_ ](?:slice|frame|image|img|z|f|s)?[-_ ]?\d{1,4}$/i;

/**
 * The part of a stem that seems to name the patient, volume or video, who must not stand in two splits; undefined
 * where nothing points to one.
 */
export function patientOf(stem: string): string | undefined {
  const [, word, number] = MARKED.exec(stem) ?? [];
  if (word !== undefined && number !== undefined) return `${word.toLowerCase()} ${Number(number)}`;
  return SIDED.exec(stem)?.[1] ?? NUMBERED.exec(stem)?.[1];
}
