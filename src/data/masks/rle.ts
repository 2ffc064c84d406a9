/** Run lengths as COCO stores them: pixels column by column, the first run of background. */
export interface RunLengths {
  readonly height: number;
  readonly width: number;
  /** Runs as numbers, or as the compressed text of pycocotools. */
  readonly counts: readonly number[] | string;
}

/** A run-length code that is refused; the message is a clause that says why. */
export class RunFault extends Error {}

/** The digits of a compressed code are the characters from "0" (48) to "o" (111): five bits and a sign of more. */
const FIRST_DIGIT = 48;
const LAST_DIGIT = 111;

/** The five bits of a character and the sign of more. */
function digitAt(text: string, at: number): number {
  const code = at < text.length ? text.charCodeAt(at) : Number.NaN;
  if (code >= FIRST_DIGIT && code <= LAST_DIGIT) return code - FIRST_DIGIT;
  throw new RunFault(
    at < text.length ? `the character ${JSON.stringify(text[at])} is no digit of it` : "it is cut short",
  );
}

/**
 * The runs of a compressed code, as COCO's `rleFrString` reads them: numbers of five bits a character, least first, 0x20 says
 * that more follow, 0x10 of the last one that the number is negative; from the fourth on a number is the difference from the
 * one two before it. Throws {@link RunFault}.
 */
export function runsOfText(text: string): number[] {
  const runs: number[] = [];
  let [value, scale] = [0, 1];
  for (let at = 0; at < text.length || scale > 1; at++) {
    const digit = digitAt(text, at);
    value += (digit & 0x1f) * scale;
    scale *= 32;
    if ((digit & 0x20) !== 0) continue;
    if ((digit & 0x10) !== 0) value -= scale;
    runs.push(runs.length > 2 ? value + (runs.at(-2) ?? 0) : value);
    [value, scale] = [0, 1];
  }
  return runs;
}

/**
 * The pixels of a code, 1 inside and 0 outside, row by row: `height` * `width` bytes. Throws {@link RunFault} where its runs do
 * not cover the picture exactly.
 */
export function decodeRuns({ height, width, counts }: RunLengths): Uint8Array {
  const runs = typeof counts === "string" ? runsOfText(counts) : counts;
  const total = height * width;
  const wrong = runs.find((run) => !(Number.isSafeInteger(run) && run >= 0));
  if (wrong !== undefined) throw new RunFault(`a run of ${wrong} pixels`);
  const covered = runs.reduce((sum, run) => sum + run, 0);
  if (covered !== total) throw new RunFault(`its runs cover ${covered} pixels, ${width}x${height} are ${total}`);
  const out = new Uint8Array(total);
  let place = 0;
  for (const [number, run] of runs.entries()) {
    for (const end = place + run; place < end; place++) {
      if (number % 2 === 1) out[(place % height) * width + Math.floor(place / height)] = 1;
    }
  }
  return out;
}
