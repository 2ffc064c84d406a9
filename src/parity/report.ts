import { compare, type Mismatch, type Produced } from "./compare.ts";
import type { FixtureFile, FixtureTensor } from "./fixture.ts";
import type { Tolerance } from "./tolerance.ts";

/** Something in a file that did not pass. */
export interface Failure {
  readonly file: string;
  /** Empty for failures of the whole file. */
  readonly caseName: string;
  /** Empty for failures of a whole case. */
  readonly tensor: string;
  readonly message: string;
  readonly mismatch?: Mismatch;
}

/** The outcome of one file. */
export interface FileResult {
  readonly file: string;
  readonly cases: number;
  readonly values: number;
  /** Largest difference relative to what is allowed, and the tensor it is in (empty when nothing differs). */
  readonly worst: number;
  readonly worstTensor: string;
  readonly failures: readonly Failure[];
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Collects what a checker finds in one file. */
export class FileReport {
  readonly file: string;
  readonly #cases = new Set<string>();
  readonly #broken = new Set<string>();
  readonly #failures: Failure[] = [];
  #values = 0;
  #worst = 0;
  #worstTensor = "";

  constructor(file: string) {
    this.file = file;
  }

  /**
   * Runs the check of one case. Whatever it throws becomes a failure of that case, so that the remaining cases are still
   * checked. A case that compares nothing fails.
   */
  async inCase(caseName: string, body: () => void | Promise<void>): Promise<void> {
    this.#cases.add(caseName);
    const before = this.#values + this.#failures.length;
    try {
      await body();
      if (this.#values + this.#failures.length === before) this.fail(caseName, "", "nothing was compared");
    } catch (error) {
      this.#broken.add(caseName);
      this.fail(caseName, "", messageOf(error));
    }
  }

  /** Compares a result with its golden tensor and keeps the verdict. */
  compare(caseName: string, expected: FixtureTensor, got: Produced, tolerance: Tolerance): void {
    this.#cases.add(caseName);
    const { values, worst, beyond, mismatch, problem } = compare(got, expected, tolerance);
    this.#values += values;
    if (worst > this.#worst) {
      this.#worst = worst;
      this.#worstTensor = expected.name;
    }
    if (problem !== undefined) this.fail(caseName, expected.name, problem);
    else if (mismatch) this.fail(caseName, expected.name, `${beyond} of ${values} values beyond tolerance`, mismatch);
  }

  /** Records a failure; empty names stand for the whole case or file. */
  fail(caseName: string, tensor: string, message: string, mismatch?: Mismatch): void {
    this.#failures.push({ file: this.file, caseName, tensor, message, ...(mismatch ? { mismatch } : {}) });
  }

  /** Ends the check: whatever the file holds and no check consumed is a failure, unless its case already broke off. */
  finish(fixture: FixtureFile | undefined): FileResult {
    for (const { name, message } of fixture?.leftovers() ?? []) {
      const caseName = name.split(".", 1)[0] ?? name;
      if (!this.#broken.has(caseName)) this.fail(caseName, name, message);
    }
    if (this.#values === 0 && this.#failures.length === 0) this.fail("", "", "nothing was compared");
    return {
      file: this.file,
      cases: this.#cases.size,
      values: this.#values,
      worst: this.#worst,
      worstTensor: this.#worstTensor,
      failures: this.#failures,
    };
  }
}

/** A ratio or value for reading: four digits, infinities in words. */
function digits(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

function describe(failure: Failure): string {
  const place = [failure.file, failure.caseName, failure.tensor].filter((part) => part !== "").join(" / ");
  const { mismatch } = failure;
  if (!mismatch) return `${place}: ${failure.message}`;
  const { index, got, expected, allowed } = mismatch;
  return `${place}: ${failure.message}; worst at index ${index}: got ${got}, expected ${expected}, allowed difference ${allowed}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}

/**
 * The printed outcome: a table of files, every failure with its place, and a last line with the numbers of files, cases,
 * values compared, the worst ratio to tolerance and the number of failures.
 */
export function formatResults(results: readonly FileResult[], otherFailures: readonly Failure[] = []): string {
  const failures = [...otherFailures, ...results.flatMap((result) => result.failures)];
  const rows = results.map(({ file, cases, values, worst, worstTensor, failures: own }) => [
    file,
    String(cases),
    String(values),
    digits(worst),
    worstTensor,
    own.length === 0 ? "pass" : "FAIL",
  ]);
  const sum = (pick: (result: FileResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  const worst = results.reduce((largest, result) => Math.max(largest, result.worst), 0);
  return [
    ...table([["file", "cases", "values", "worst ratio", "in", "verdict"], ...rows]),
    ...failures.map((failure) => `FAIL ${describe(failure)}`),
    `files ${results.length}, cases ${sum((r) => r.cases)}, values compared ${sum((r) => r.values)}, ` +
      `worst ratio to tolerance ${digits(worst)}, failures ${failures.length}`,
  ].join("\n");
}
